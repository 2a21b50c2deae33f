"""Which sums does a batch of calls change, and by how much?

Two families over the same quarter hours: by call (the serving provider) and by attempt (the
attempted one). Both are folds of the rows in `call_details` and `call_attempts`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from hashlib import blake2b

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome, Status
from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.usage import UsageSource
from tollbridge.recording.details import Tokens, known_cost_of, milliseconds, tokens_of
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX

QUARTER_US = 15 * 60 * 1_000_000
DAYS_CACHED_MAX = 10_000

Dimension = tuple[str, ...]
"""The values of tables.DIMENSION_COLUMNS."""
Ids = tuple[int, int]
"""The id of a dimension, and of the same one without user and key."""
Measures = tuple[int, ...]
"""In the order of the table's columns."""
PartKey = tuple[int, Ids]
"""(start of the quarter hour, ids)."""
Parts = dict[PartKey, list[Measures]]
Sums = dict[tuple[int, int], Measures]
"""(start of the interval, dimension id) → measures."""

FAILURES = frozenset({AttemptOutcome.FAILED, AttemptOutcome.BROKE})
UNKNOWN = frozenset({AttemptOutcome.UNKNOWN, AttemptOutcome.CUT_SHORT})
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


def status_class(http_status: int | None) -> str:
    """Return `2xx` for 200, `none` where there was no answer."""
    if http_status is None or not 100 <= http_status < 600:
        return "none"
    return _STATUS_CLASSES[http_status // 100]


def quarter_start(at_us: int) -> int:
    """Return the start of the quarter hour that holds an instant, in microseconds."""
    return at_us - at_us % QUARTER_US


def latency_bucket(value_ms: int) -> int:
    """Return the index of the histogram's bucket: eight per doubling, exact below 16 ms."""
    if value_ms < 8:
        return value_ms
    shift = value_ms.bit_length() - 4
    return (shift << 3) + (value_ms >> shift)


def bucket_bounds(index: int) -> tuple[int, int]:
    """Return the milliseconds [from, to) that a bucket of the histogram counts."""
    if index < 16:
        return index, index + 1
    shift = (index >> 3) - 1
    return ((index & 7) + 8) << shift, ((index & 7) + 9) << shift


def dimension_id(dimension: Dimension) -> int:
    """Return the id of a dimension: 63 bits of a hash of its values.

    Computed, so that any node finds the same one without asking. Of a million dimensions, two
    share an id with a chance of 1 in 18 million; they would be shown as one.
    """
    text = "\x1f".join(dimension).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def coarse(dimension: Dimension) -> Dimension:
    """Return a dimension without user and key."""
    return (*dimension[:8], "", "", "", *dimension[11:])


class Dimensions:
    """The ids of the dimensions seen of late, and which of them the database surely has.

    Two generations, so that what is used stays and the memory is bounded: once the younger is
    full it becomes the older, and what is then not asked for is forgotten.
    """

    def __init__(self, cached_max: int) -> None:
        self._generation_max = max(1, cached_max // 2)
        self._young: dict[Dimension, Ids] = {}
        self._old: dict[Dimension, Ids] = {}

    def get(self, dimension: Dimension) -> Ids | None:
        """Return the ids of a dimension that is in the database, None where that is not known."""
        ids = self._young.get(dimension)
        if ids is None:
            ids = self._old.get(dimension)
            if ids is not None:
                self._keep(dimension, ids)
        return ids

    def committed(self, fresh: dict[Dimension, Ids]) -> None:
        """Remember dimensions that are in the database from now on."""
        for dimension, ids in fresh.items():
            self._keep(dimension, ids)

    def _keep(self, dimension: Dimension, ids: Ids) -> None:
        if len(self._young) >= self._generation_max:
            self._old = self._young
            self._young = {}
        self._young[dimension] = ids


class Days:
    """Which day of the billing time zone does a quarter hour belong to?"""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._starts: dict[int, int] = {}

    def start(self, quarter_us: int) -> int:
        """Return the start of the day that holds the quarter hour, in microseconds."""
        found = self._starts.get(quarter_us)
        if found is None:
            local = to_datetime(quarter_us).astimezone(self._zone)
            found = to_us(datetime(local.year, local.month, local.day, tzinfo=self._zone))
            if len(self._starts) >= DAYS_CACHED_MAX:
                self._starts.clear()
            self._starts[quarter_us] = found
        return found


class Fold:
    """The sums of one batch, to be added to the roll-ups."""

    def __init__(self, known: Dimensions, days: Days) -> None:
        self._known = known
        self._days = days
        self._calls: Parts = {}
        self._attempts: Parts = {}
        self.fresh: dict[Dimension, Ids] = {}
        """Dimensions that the database may not have yet."""
        self.latency: dict[tuple[int, int, int], int] = {}
        self.provider_costs: dict[str, int] = {}

    def add(self, account: CallAccount, tokens_of_attempts: Sequence[Tokens]) -> None:
        """Add one call with its attempts, given the tokens of each."""
        opened, closed = account.evidence.opened, account.evidence.closed
        caller, attribution, usage = opened.caller, account.attribution, account.usage
        attempts = account.attempts
        dimension = (
            attribution.provider[:PROVIDER_LENGTH_MAX],
            (attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX],
            str(opened.bucket),
            str(opened.category),
            str(opened.operation),
            attempts[-1].evidence.model if attempts else "",
            opened.label,
            caller.project,
            caller.user,
            caller.key_id,
            caller.key_name,
            status_class(closed.http_status),
            str(usage.source),
        )
        ids = self._ids(dimension)
        quarter_us = account.accounted_at_us // QUARTER_US * QUARTER_US
        completed = account.status is Status.COMPLETED
        tokens = tokens_of_attempts[-1] if attempts else tokens_of(usage)
        measures = (
            1,
            1 if completed else 0,
            0 if completed else 1,
            1 if account.cost_nanousd is None else 0,
            1 if usage.source is UsageSource.ESTIMATED else 0,
            *[count or 0 for count in tokens],
            known_cost_of(account),
            account.charge_nanousd,
            milliseconds(opened.received_at_us, closed.closed_at_us) or 0,
        )
        self._calls.setdefault((quarter_us, ids), []).append(measures)
        for attempt, counts in zip(attempts, tokens_of_attempts, strict=True):
            self._add_attempt(attempt, counts, dimension, quarter_us)

    def sums(self) -> Mapping[str, Sums]:
        """Return what is to be added, by the name of the table."""
        calls, attempts = _sum_up(self._calls), _sum_up(self._attempts)
        return {
            "rollups_by_call": _fine(calls),
            "rollups_by_call_daily": self._daily(calls),
            "rollups_by_attempt": _fine(attempts),
            "rollups_by_attempt_daily": self._daily(attempts),
        }

    def _add_attempt(
        self, attempt: AttemptAccount, tokens: Tokens, of_call: Dimension, quarter_us: int
    ) -> None:
        seen, usage, cost_nanousd = attempt.evidence, attempt.usage, attempt.rated.cost_nanousd
        provider = seen.provider[:PROVIDER_LENGTH_MAX]
        upstream = (attempt.attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX]
        own = (provider, upstream, seen.model, status_class(seen.http_status), str(usage.source))
        if own == (*of_call[:2], of_call[5], *of_call[11:]):
            ids = self._ids(of_call)
        else:
            ids = self._ids((*own[:2], *of_call[2:5], own[2], *of_call[6:11], *own[3:]))
        latency_ms = milliseconds(seen.started_at_us, seen.ended_at_us)
        first_byte_ms = milliseconds(seen.started_at_us, seen.first_byte_at_us)
        measures = (
            1,
            1 if seen.outcome in FAILURES else 0,
            1 if seen.outcome in UNKNOWN else 0,
            1 if cost_nanousd is None else 0,
            1 if usage.source is UsageSource.ESTIMATED else 0,
            *[count or 0 for count in tokens],
            cost_nanousd or 0,
            latency_ms or 0,
            0 if latency_ms is None else 1,
            first_byte_ms or 0,
            0 if first_byte_ms is None else 1,
        )
        self._attempts.setdefault((quarter_us, ids), []).append(measures)
        if latency_ms is not None:
            key = (quarter_us, ids[1], latency_bucket(latency_ms))
            self.latency[key] = self.latency.get(key, 0) + 1
        if cost_nanousd:
            costs = self.provider_costs
            costs[seen.provider] = costs.get(seen.provider, 0) + cost_nanousd

    def _ids(self, dimension: Dimension) -> Ids:
        ids = self._known.get(dimension) or self.fresh.get(dimension)
        if ids is None:
            ids = dimension_id(dimension), dimension_id(coarse(dimension))
            self.fresh[dimension] = ids
        return ids

    def _daily(self, sums: Mapping[PartKey, Measures]) -> Sums:
        parts: dict[tuple[int, int], list[Measures]] = {}
        for (quarter_us, ids), measures in sums.items():
            parts.setdefault((self._days.start(quarter_us), ids[1]), []).append(measures)
        return {key: _added(rows) for key, rows in parts.items()}


def _sum_up(parts: Parts) -> dict[PartKey, Measures]:
    return {key: _added(rows) for key, rows in parts.items()}


def _fine(sums: Mapping[PartKey, Measures]) -> Sums:
    return {(quarter_us, ids[0]): measures for (quarter_us, ids), measures in sums.items()}


def _added(rows: Sequence[Measures]) -> Measures:
    return rows[0] if len(rows) == 1 else tuple([sum(column) for column in zip(*rows, strict=True)])
