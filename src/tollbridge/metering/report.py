"""How much does a report of somebody else say was used?

Slot by slot: what was not reported is estimated only where the provider's own final usage was not
seen, and only from what was counted of the request and the stream.
"""

from typing import Final

from tollbridge.core.call import Operation
from tollbridge.core.report import Report
from tollbridge.core.usage import NO_USAGE, Unit, Usage, UsageSource
from tollbridge.metering.estimate import EstimateRules

INPUT: Final = Unit.INPUT.value
OUTPUT: Final = Unit.OUTPUT.value
REQUEST: Final = Unit.REQUEST.value
IN_TOTAL: Final = frozenset({Operation.EMBEDDING, Operation.RERANK})
"""Of these some providers report a total alone: all of it that is not output is input."""


def meter_report(report: Report, rules: EstimateRules) -> Usage:
    """Return what a report says was used; a count that nobody knows is absent, never zero."""
    counts, flags = dict(report.counts), list[str]()
    read, written = counts.get(INPUT), counts.get(OUTPUT)
    total = report.total_tokens
    if total is not None and total > (read or 0) + (written or 0):
        if report.operation in IN_TOTAL:
            counts[INPUT] = total - (written or 0)
        else:
            flags.append("total_only")
    estimated = not report.completed and _estimate(report, counts, flags, rules)
    if report.operation is Operation.SEARCH and not counts:
        counts[REQUEST] = report.request_count
    if not counts:
        return (
            Usage({}, UsageSource.NONE, tuple(flags), report.cost_usd)
            if flags
            else _nothing(report)
        )
    if report.request_count > 1:
        counts[REQUEST] = report.request_count
    source = UsageSource.ESTIMATED if estimated else UsageSource.REPORTED
    return Usage(counts, source, tuple(flags), report.cost_usd)


def _nothing(report: Report) -> Usage:
    if report.cost_usd is None:
        return NO_USAGE
    return Usage({}, UsageSource.NONE, (), report.cost_usd)


def _estimate(
    report: Report, counts: dict[str, int], flags: list[str], rules: EstimateRules
) -> bool:
    """Fill the blank slots of a report whose final usage was not seen; return whether any was.

    There zero is blank too: the provider had not said anything yet.
    """
    partly = bool(counts.get(INPUT) or counts.get(OUTPUT))
    filled = False
    seen = ((INPUT, report.request_bytes), (OUTPUT, report.chunks))
    for unit, evidence in seen:
        if counts.get(unit):
            continue
        counts.pop(unit, None)
        if evidence > 0:
            if unit == INPUT:
                counts[unit] = max(1, evidence // rules.bytes_per_token)
            else:
                counts[unit] = evidence * rules.tokens_per_chunk
            filled = True
            if partly:
                flags.append(f"{unit}_estimated")
    if not filled and counts:
        flags.append("partial_answer")
    return filled
