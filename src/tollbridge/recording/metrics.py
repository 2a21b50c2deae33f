"""What have the calls come to since this process began, as metrics count it?

Folded from the accounts that the drain has just brought into the books: so a node's figures are
those of all its workers, and a call costs its worker nothing. They begin anew with the process, as
counters may; what must not be lost is in the books.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome

SERIES_MAX = 100
"""Groups of attempts that are told apart; all further ones are one group of others."""
OTHERS = "other"
# As the semantic conventions of OpenTelemetry for generative AI advise.
DURATION_BOUNDS_S = tuple(0.01 * 2**power for power in range(14))
TOKEN_BOUNDS = tuple(4**power for power in range(14))
TOKENS = ("input", "output")
KINDS_OF_TOKENS = frozenset({"input", "output", "cache_read", "cache_write", "reasoning"})
_SUCCEEDED = AttemptOutcome.SUCCEEDED

CallKey = tuple[str, str, str]
"""Provider that served, category, status."""
GroupKey = tuple[str, str, str, str]
"""Provider that was asked, category, operation, model that it was asked for."""
EndKey = tuple[str, str]
"""Outcome, and class of the error ("" where there is none)."""


class Histogram(msgspec.Struct):
    """How many values there were below each bound, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    """One more than bounds: of those above all of them."""
    total: float = 0.0

    @classmethod
    def of(cls, bounds: tuple[float, ...]) -> "Histogram":
        """Return an empty one."""
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


class Group(msgspec.Struct):
    """What one kind of attempts came to."""

    ends: dict[EndKey, int] = {}
    durations: dict[str, Histogram] = {}
    """By class of the error; "" where there is none."""
    first_bytes: Histogram = msgspec.field(default_factory=lambda: Histogram.of(DURATION_BOUNDS_S))
    used: dict[str, Histogram] = {}
    """By kind of token, of TOKENS."""
    tokens: dict[str, int] = {}
    """By kind of token, of KINDS_OF_TOKENS."""
    cost_nanousd: int = 0
    """Of what is known."""
    unpriced: int = 0
    """Attempts whose cost is not known."""


class CallCounts(msgspec.Struct):
    """All of it; grows with each batch of the drain."""

    calls: dict[CallKey, int] = {}
    groups: dict[GroupKey, Group] = {}
    series_max: int = SERIES_MAX

    def add(self, accounts: Iterable[CallAccount]) -> None:
        """Count calls that have just come into the books; a report's as many as it stands for."""
        calls = self.calls
        for account in accounts:
            opened = account.evidence.opened
            # Enumerations of text are text: to ask for their values would take longest here.
            category, operation, status = opened.category, opened.operation, account.status
            key = (account.attribution.provider, category, status)
            if key not in calls and len(calls) >= self.series_max:
                key = (OTHERS, category, status)
            requests = 1 if opened.report is None else opened.report.request_count
            calls[key] = calls.get(key, 0) + requests
            for attempt in account.attempts:
                self._add_attempt(attempt, category, operation)

    def _add_attempt(self, attempt: AttemptAccount, category: str, operation: str) -> None:
        seen = attempt.evidence
        group = self._group((seen.provider, category, operation, seen.model))
        outcome = seen.outcome
        error: str = "" if outcome is _SUCCEEDED else seen.error_class or outcome
        end = (outcome, error)
        group.ends[end] = group.ends.get(end, 0) + 1
        if seen.ended_at_us is not None:
            duration = group.durations.get(error)
            if duration is None:
                duration = group.durations[error] = Histogram.of(DURATION_BOUNDS_S)
            duration.add(max(0, seen.ended_at_us - seen.started_at_us) / 1e6)
        if seen.first_byte_at_us is not None and not error:
            group.first_bytes.add(max(0, seen.first_byte_at_us - seen.started_at_us) / 1e6)
        counts = attempt.usage.counts
        if counts:
            _add_tokens(group, counts)
        cost = attempt.rated.cost_nanousd
        if cost is None:
            group.unpriced += 1
        else:
            group.cost_nanousd += cost

    def _group(self, key: GroupKey) -> Group:
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= self.series_max:
                key = (OTHERS, OTHERS, OTHERS, OTHERS)
                group = self.groups.get(key)
            if group is None:
                group = self.groups[key] = Group()
        return group


def _add_tokens(group: Group, counts: Mapping[str, int]) -> None:
    for kind, count in counts.items():
        if kind not in KINDS_OF_TOKENS:
            continue
        group.tokens[kind] = group.tokens.get(kind, 0) + count
        if kind in TOKENS:
            used = group.used.get(kind)
            if used is None:
                used = group.used[kind] = Histogram.of(TOKEN_BOUNDS)
            used.add(count)


SYSTEM_OF: Mapping[str, str] = MappingProxyType(
    {"google": "gcp.gemini", "xai": "x_ai", "mistral": "mistral_ai", "azure": "azure.ai.openai"}
)
"""Our names of providers → those of the semantic conventions, where they differ."""
OPERATION_OF: Mapping[str, str] = MappingProxyType(
    {"chat_completion": "chat", "completion": "text_completion", "embedding": "embeddings"}
)


def cumulated(histogram: Histogram) -> Sequence[tuple[str, int]]:
    """Return (upper bound, how many were at most that), the last one "+Inf"."""
    found: list[tuple[str, int]] = []
    count = 0
    for bound, of in zip(histogram.bounds, histogram.counts, strict=False):
        count += of
        found.append((f"{bound:.10g}", count))
    return (*found, ("+Inf", histogram.count))
