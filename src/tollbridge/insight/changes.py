"""What is asked of runs of re-attribution, and what do they answer? Frozen values, no SQL."""

import msgspec


class RunRow(msgspec.Struct, frozen=True):
    """One run of re-attribution."""

    run_id: str
    reverts_run_id: str | None
    rules_version: str
    since_us: int | None
    until_us: int | None
    actor: str
    state: str
    calls: int
    changed: int
    reassigned: int
    marked: int
    left_alone: int
    started_at_us: int
    ended_at_us: int | None


class MoveRow(msgspec.Struct, frozen=True):
    """From what to what a run changed calls. An upstream provider "" is none."""

    old_provider: str
    old_upstream: str
    old_rule: str
    old_confidence: str
    old_evidence: str
    new_provider: str
    new_upstream: str
    new_rule: str
    new_confidence: str
    new_evidence: str
    calls: int


class ChangeRow(msgspec.Struct, frozen=True):
    """One call that a run changed."""

    call_id: str
    old_provider: str
    old_upstream: str
    old_rule: str
    old_confidence: str
    old_evidence: str
    new_provider: str
    new_upstream: str
    new_rule: str
    new_confidence: str
    new_evidence: str


class CallChange(msgspec.Struct, frozen=True):
    """One time that a call was given another attribution."""

    run_id: str
    reverts_run_id: str | None
    rules_version: str
    actor: str
    started_at_us: int
    """When the run began."""
    change: ChangeRow
