"""Who served the calls in the books, by the rules of another day, and what changes by that?

Pure. A call's attribution is found again from what its row says and, where that is kept and
matters, from its raw evidence. Where it differs, a change follows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from tollbridge.core.account import Attribution, CostOrigin
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.report import Via
from tollbridge.recording.rollups import dimension_id
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX

MOVES_SHOWN_MAX = 1000
"""Kinds of changes that are counted one by one; what comes after them is counted as a whole."""
SAMPLES_MAX = 3
"""Calls that are named of each kind."""
MEMORY_MAX = 20_000
"""Distinct combinations whose answer is remembered."""
VIAS = frozenset(via.value for via in Via)
SETTLED = frozenset({CostOrigin.REPORTED.value, CostOrigin.NOTHING_OWED.value})
"""Whose figure is no price of ours: it stays right whoever served."""


class Served(NamedTuple):
    """Who served, as a row says it. `upstream` "" is none."""

    provider: str
    upstream: str
    rule: str
    confidence: str
    evidence: str


class Said(NamedTuple):
    """What a row says besides its id and time, in the order in which it is selected."""

    bucket: str
    model: str
    served_model: str | None
    path: str
    endpoint: str | None
    dialect: str | None
    http_status: int
    error_class: str | None
    cost_origin: str | None
    provider: str
    upstream: str
    rule: str
    confidence: str
    evidence: str

    @property
    def served(self) -> Served:
        """Who served, by what the row says."""
        return Served(*self[-5:])

    @property
    def is_report(self) -> bool:
        """Whether somebody else reported it; else we carried it."""
        return self.dialect in VIAS


class KeptReport(NamedTuple):
    """What the raw evidence of a report says besides."""

    bucket_reported: bool
    provider: str | None


Kept = KeptReport | AttemptEvidence
"""The raw evidence: of a report, or of the serving attempt of a call that we carried."""


class AttributeAgain(Protocol):
    """How attribution answers for a call in the books."""

    @property
    def aggregators(self) -> frozenset[str]:
        """The providers whose raw evidence is asked for: it says who ran the model."""
        ...

    def __call__(self, said: Said, kept: Kept | None) -> Attribution:
        """Return who served; `kept` is None where the raw evidence is purged, or not needed."""
        ...


class Move(NamedTuple):
    """From what to what a call changes."""

    move_id: int
    old: Served
    new: Served
    marks: bool
    """Whether its price is that of another provider then, as far as its row says."""

    @property
    def reassigns(self) -> bool:
        """Whether the provider changes, or who ran the model: then sums change."""
        return self.old[:2] != self.new[:2]


class Page(NamedTuple):
    """Calls of the books: their ids and times, and what their rows say."""

    places: Sequence[tuple[str, int]]
    said: Sequence[tuple[Any, ...]]
    kept: Mapping[str, Kept]


class Findings(msgspec.Struct, kw_only=True):
    """What a batch, or all batches of a run, came to."""

    calls: int = 0
    changed: int = 0
    reassigned: int = 0
    """Of these, whose provider changed, or who ran the model; the others have another reason."""
    marked: int = 0
    """Of these, whose price belongs to another provider."""
    left_alone: int = 0
    """Of a run that is taken back: calls that a later one has changed again."""
    moves: dict[str, int] = {}
    """"from → to (rule)" → calls."""
    samples: dict[str, list[str]] = {}
    """Ids of some calls of each of these."""

    def add(self, other: "Findings") -> None:
        """Count in what another batch came to."""
        for name in ("calls", "changed", "reassigned", "marked", "left_alone"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for text, count in other.moves.items():
            self.count(text, count, other.samples.get(text, ()))

    def count(self, text: str, count: int, call_ids: Sequence[str]) -> None:
        """Count calls of one kind of change."""
        if text not in self.moves and len(self.moves) >= MOVES_SHOWN_MAX:
            text = "others"
        self.moves[text] = self.moves.get(text, 0) + count
        samples = self.samples.setdefault(text, [])
        samples += call_ids[: SAMPLES_MAX - len(samples)]


class Memory:
    """Answers for what rows say: a few thousand rows say the same."""

    def __init__(self, again: AttributeAgain) -> None:
        self.again = again
        self._known: dict[tuple[Any, ...], Move | None] = {}

    def consider(self, page: Page) -> dict[str, Move]:
        """Return call id → change, of the calls of a page that change."""
        known, kept_of = self._known, page.kept
        changes: dict[str, Move] = {}
        for (call_id, _), row in zip(page.places, page.said, strict=True):
            kept = kept_of.get(call_id) if kept_of else None
            if isinstance(kept, AttemptEvidence):
                move = self._decide(row, kept)
            else:
                key = row if kept is None else (*row, *kept)
                move = known.get(key, _UNSEEN)
                if move is _UNSEEN:
                    move = self._decide(row, kept)
                    if len(known) >= MEMORY_MAX:
                        known.clear()
                    known[key] = move
            if move is not None:
                changes[call_id] = move
        return changes

    def _decide(self, row: tuple[Any, ...], kept: Kept | None) -> Move | None:
        said = Said(*row)
        return make_move(said.served, served_by(self.again(said, kept)), said.cost_origin)


_UNSEEN = Move(-1, Served("", "", "", "", ""), Served("", "", "", "", ""), marks=False)


def served_by(attribution: Attribution) -> Served:
    """Return an attribution as rows say it."""
    return Served(
        attribution.provider[:PROVIDER_LENGTH_MAX],
        (attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX],
        attribution.rule_id,
        attribution.confidence.value,
        attribution.evidence,
    )


def make_move(old: Served, new: Served, cost_origin: str | None) -> Move | None:
    """Return the change; None where only the words of the evidence would be others."""
    if old[:4] == new[:4]:
        return None
    return Move(dimension_id((*old, *new)), old, new, needs_rating(old, new, cost_origin))


def needs_rating(old: Served, new: Served, cost_origin: str | None) -> bool:
    """Return whether a call's price is that of another provider, once it is changed so."""
    return old.provider != new.provider and cost_origin not in SETTLED


def count_changes(seen: int, changes: Mapping[str, Move]) -> Findings:
    """Return what the changes of some calls come to."""
    found = Findings(calls=seen, changed=len(changes))
    of_kind: dict[Move, list[str]] = {}
    for call_id, move in changes.items():
        of_kind.setdefault(move, []).append(call_id)
    for move, call_ids in of_kind.items():
        found.reassigned += len(call_ids) if move.reassigns else 0
        found.marked += len(call_ids) if move.marks else 0
        found.count(move_text(move), len(call_ids), call_ids[:SAMPLES_MAX])
    return found


def move_text(move: Move) -> str:
    """Return a change in words."""
    old, new = _name(move.old), _name(move.new)
    if old == new:
        return f"{old}: {move.old.rule} → {move.new.rule}"
    return f"{old} → {new} ({move.new.rule})"


def _name(served: Served) -> str:
    return f"{served.provider}/{served.upstream}" if served.upstream else served.provider
