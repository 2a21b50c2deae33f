"""What is shown of a call that its row alone does not say: names, months, parts of its cost?"""

from collections.abc import Mapping, Sequence

import msgspec

from tollbridge.api.deps import Control
from tollbridge.attribution.attribute import NO_ATTEMPT, attribute
from tollbridge.attribution.rules import UNKNOWN_PROVIDER
from tollbridge.core.attribution import Evidence
from tollbridge.insight.log_filter import period_of
from tollbridge.insight.log_queries import cost_parts
from tollbridge.insight.usage import CallRow, CostParts
from tollbridge.storage.unit import Unit


class Shown(msgspec.Struct, frozen=True):
    """What is shown beside a call's row."""

    provider: str
    """The actual provider; where it is unknown, who the rules say today."""
    provider_name: str
    """The name of it that people see."""
    billing_period: str | None
    """None while the call is open."""
    cost: CostParts | None
    """None where it is not known what the cost is made of."""


async def shown_of(unit: Unit, rows: Sequence[CallRow], control: Control) -> list[Shown]:
    """Return what is shown beside each row of a page."""
    parts = await cost_parts(unit, rows)
    providers = await _providers(unit, rows, control)
    zone = control.services.billing_zone
    return [
        Shown(
            provider,
            control.provider_names.display(provider),
            None if row.accounted_at_us is None else period_of(row.accounted_at_us, zone),
            parts.get(row.call_id),
        )
        for row, provider in zip(rows, providers, strict=True)
    ]


async def _providers(unit: Unit, rows: Sequence[CallRow], control: Control) -> list[str]:
    found = [row.actual_provider_name or UNKNOWN_PROVIDER for row in rows]
    unsure = {place: row for place, row in enumerate(rows) if _may_be_known_now(row)}
    if unsure:
        rules = await control.rule_book.current(unit)
        detected: Mapping[int, str] = {
            place: attribute(
                Evidence(
                    bucket=row.bucket,
                    model=row.requested_model or row.label,
                    served_model=row.served_model,
                    path=row.path,
                ),
                rules,
            ).provider
            for place, row in unsure.items()
        }
        for place, provider in detected.items():
            found[place] = provider
    return found


def _may_be_known_now(row: CallRow) -> bool:
    """Return whether somebody served a call, and it was not known who."""
    if row.actual_provider_name != UNKNOWN_PROVIDER:
        return False
    return row.evidence != NO_ATTEMPT.evidence
