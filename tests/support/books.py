"""Do our books say what the provider's own log says?"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.store import list_outstanding_leases
from tollbridge.recording.audit import books as recording_books
from tollbridge.sandbox import LogEntry
from tollbridge.storage.unit import Database

ROWS = """
SELECT call_id, status, ending, input_tokens, output_tokens, usage_source, cost_nanousd,
       charge_nanousd, attempt_count, flags
FROM call_details WHERE coalesce(dialect, '') <> 'intake'
"""


async def rows_of(url: str) -> list[Any]:
    """Return the detail rows of calls that we carried."""
    database = Database.open(url)
    try:
        async with database.read() as unit:
            return list((await unit.connection.execute(text(ROWS))).all())
    finally:
        await database.close()


async def discrepancies(url: str) -> list[Any]:
    """Return every place where the books contradict themselves."""
    database = Database.open(url)
    try:
        async with database.read() as unit:
            return [*await recording_books(unit), *await ledger_books(unit)]
    finally:
        await database.close()


async def outstanding(url: str) -> int:
    """Return what is still leased, in nano-USD."""
    database = Database.open(url)
    try:
        async with database.read() as unit:
            leases = await list_outstanding_leases(unit)
            return sum(one.outstanding for one in leases)
    finally:
        await database.close()


async def compare(url: str, log: Sequence[LogEntry], in_flight_max: int) -> list[Any]:
    """Assert that each call the provider saw is exactly one row, and that the books balance.

    Rows that it never saw are interrupted (or were refused before any attempt), and no more than
    `in_flight_max` a crash. Returns the rows.
    """
    rows = await rows_of(url)
    ids = Counter(str(row.call_id) for row in rows)
    assert all(count == 1 for count in ids.values())
    seen = {entry.client_request_id for entry in log}
    lost = seen - ids.keys()
    assert not lost, f"{len(lost)} calls that the provider served are in no row"
    by_id = {str(row.call_id): row for row in rows}
    unseen = [row for call_id, row in by_id.items() if call_id not in seen]
    served_unseen = [row for row in unseen if row.ending not in {"interrupted", "over_budget"}]
    strangers = [row for row in served_unseen if row.ending != "caller_left_before_first_byte"]
    assert not strangers, strangers[:3]
    interrupted = [row for row in rows if row.ending == "interrupted"]
    assert len(interrupted) <= in_flight_max, len(interrupted)
    _compare_tokens(by_id, log)
    assert await discrepancies(url) == []
    return rows


def _compare_tokens(by_id: dict[str, Any], log: Sequence[LogEntry]) -> None:
    """A call whose usage the provider reported has exactly the tokens that it bills."""
    for entry in log:
        row = by_id[entry.client_request_id or ""]
        if row.ending == "complete" and row.attempt_count == 1:
            assert entry.usage is not None
            assert (row.input_tokens, row.output_tokens) == (
                entry.usage.prompt_tokens,
                entry.usage.completion_tokens,
            )
