"""How much did an attempt use, and how sure are we?

A pure function of the evidence: run again, it says the same.
"""

from tollbridge.core.call import AttemptOutcome, Ending, Operation
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.core.usage import NO_USAGE, Usage, UsageSource
from tollbridge.metering.charge import charge_in_headers, reported_charge
from tollbridge.metering.estimate import EstimateRules, estimate_input, estimate_output
from tollbridge.metering.extract import INPUT, OUTPUT, PATHS, extract, facts_of
from tollbridge.metering.measured import MEASURED, add_counted, asked_for, split_output

_CHAT = Operation.CHAT_COMPLETION
_SUCCEEDED, _REPORTED = AttemptOutcome.SUCCEEDED, UsageSource.REPORTED
Reported = tuple[dict[str, int], list[str], dict[str, str], str | None]
"""Counts, flags, facts and the charge in US dollars that an attempt's answer says."""


def meter(attempt: AttemptEvidence, opened: Opened, closed: Closed, rules: EstimateRules) -> Usage:
    """Return what one attempt used.

    What the provider reported is taken as it is, zeros too. A count that it did not report is
    estimated where the attempt may have reached it, and then the source is `estimated`; flags
    say which unit where the other one was reported. A failed attempt used nothing we know of.
    """
    if attempt.outcome is AttemptOutcome.FAILED:
        return NO_USAGE
    operation = opened.operation
    if operation in MEASURED:
        return _meter_made(attempt, opened, closed, rules)
    has_output = operation is _CHAT or operation is Operation.COMPLETION
    counts, flags, facts, charge = _reported(attempt, has_output=has_output)
    if INPUT not in counts or (has_output and OUTPUT not in counts):
        if may_have_been_written(attempt, closed):
            _fill(counts, flags, attempt, opened, rules, has_output=has_output)
            return Usage(counts, UsageSource.ESTIMATED, tuple(flags), charge, facts)
        if not counts:
            return Usage({}, UsageSource.NONE, tuple(flags), charge, facts)
    return _as_said(attempt, closed, (counts, flags, facts, charge))


def _meter_made(
    attempt: AttemptEvidence, opened: Opened, closed: Closed, rules: EstimateRules
) -> Usage:
    """Return what was used of what is counted by what was made."""
    counts, flags, said, charge = _reported(attempt, has_output=False)
    facts = {**opened.demand.facts, **said}
    if counts:
        split_output(opened, counts, flags)
        return _as_said(attempt, closed, (counts, flags, facts, charge))
    if not may_have_been_written(attempt, closed):
        return Usage({}, UsageSource.NONE, tuple(flags), charge, facts)
    counts = asked_for(opened, rules)
    if not attempt.written:
        flags.append("write_unknown")
    source = UsageSource.ESTIMATED if counts else UsageSource.NONE
    return Usage(counts, source, tuple(flags), charge, facts)


def _reported(attempt: AttemptEvidence, *, has_output: bool) -> Reported:
    """Return what the answer says, and what the relay counted of it."""
    counts: dict[str, int] = {}
    flags: list[str] = []
    facts: dict[str, str] = {}
    charge: str | None = None
    usage = attempt.usage
    if usage:
        facts = facts_of(usage)
        if not attempt.counts or attempt.dialect in PATHS:
            counts, flags = extract(attempt.dialect, usage, has_output=has_output)
            if not counts and not attempt.counts:
                flags.append("usage_unreadable")
        charge, refused = reported_charge(attempt.provider, usage)
        if refused is not None:
            flags.append(refused)
    if charge is None and attempt.headers:
        charge, refused = charge_in_headers(attempt.provider, attempt.headers)
        if refused is not None:
            flags.append(refused)
    if attempt.counts:
        add_counted(attempt, counts)
    if attempt.facts:
        facts = {**attempt.facts, **facts}
    return counts, flags, facts, charge


def _as_said(attempt: AttemptEvidence, closed: Closed, reported: Reported) -> Usage:
    counts, flags, facts, charge = reported
    if closed.drained:
        return Usage(counts, UsageSource.DRAINED, tuple(flags), charge, facts)
    if attempt.outcome is not _SUCCEEDED:
        flags.append("partial_answer")  # cumulative counts up to where the answer was cut
    return Usage(counts, _REPORTED, tuple(flags), charge, facts)


def owes_nothing(attempt: AttemptEvidence, closed: Closed) -> bool:
    """Return whether the provider cannot bill this attempt: refused, or never written."""
    if attempt.outcome is AttemptOutcome.FAILED:
        return True
    return not attempt.usage and not may_have_been_written(attempt, closed)


def may_have_been_written(attempt: AttemptEvidence, closed: Closed) -> bool:
    """Return whether the provider may have got the request.

    Of a call whose process died, the journal still says what stood before the first byte left:
    `written` is then not known, rather than false.
    """
    return attempt.written or (
        closed.ending is Ending.INTERRUPTED and attempt.outcome is AttemptOutcome.CUT_SHORT
    )


def _fill(
    counts: dict[str, int],
    flags: list[str],
    attempt: AttemptEvidence,
    opened: Opened,
    rules: EstimateRules,
    *,
    has_output: bool,
) -> None:
    """Estimate the counts that were not reported."""
    partly = bool(counts)
    if INPUT not in counts:
        counts[INPUT] = estimate_input(opened, rules)
        if partly:
            flags.append("input_estimated")
    if has_output and OUTPUT not in counts:
        counts[OUTPUT] = estimate_output(attempt, opened, rules)
        if partly:
            flags.append("output_estimated")
    if not attempt.written:
        flags.append("write_unknown")
