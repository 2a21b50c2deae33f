"""Do the books agree with themselves?"""

import asyncio
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec
import typer

from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_table
from tollbridge.core.settlement import Discrepancy
from tollbridge.insight.resource_queries import posted_provider_costs
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.wallet_books import books as wallet_books
from tollbridge.recording import audit
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.settings import Settings

NOT_IN_ORDER = 1


def check_books(settings: Settings, *, deep: bool, as_json: bool) -> None:
    """Print where two figures differ that should not. Exits with status 1 where there are any."""
    found = asyncio.run(_check(settings, deep=deep))
    if as_json:
        print_json([msgspec.to_builtins(one) for one in found])
    elif found:
        print_table(
            ("what", "where", "expected", "found"),
            [(one.kind, one.subject, f"{one.expected:,}", f"{one.found:,}") for one in found],
            right=("expected", "found"),
        )
    if found:
        note(f"{len(found)} figures are not what others say they should be")
        raise typer.Exit(NOT_IN_ORDER)
    note("the books agree")


async def _check(settings: Settings, *, deep: bool) -> list[Discrepancy]:
    # One unit: figures of different moments would differ for no fault.
    async with opened(settings) as database, database.read() as unit:
        found = await audit.books(unit)
        found += await ledger_books(unit)
        found += await wallet_books(unit)
        billed, posted = await audit.provider_costs(unit), await posted_provider_costs(unit)
        found += _differing_costs(billed, posted)
        if deep:
            found += await rebuild_rollups(unit, ZoneInfo(settings.billing_time_zone))
    return found


def _differing_costs(billed: Mapping[str, int], posted: Mapping[str, int]) -> list[Discrepancy]:
    return [
        Discrepancy("postings of a provider", name, billed.get(name, 0), posted.get(name, 0))
        for name in sorted(billed.keys() | posted.keys())
        if billed.get(name, 0) != posted.get(name, 0)
    ]
