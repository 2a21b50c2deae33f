"""What was refused of other gateways' reports, and which names are they checked by?"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table, time_text
from tollbridge.cli.reports import DirectBooks
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.report import Refusal, Via
from tollbridge.recording.intake_registry import UNREGISTERED, RegisteredName
from tollbridge.recording.intake_registry_store import (
    SourceRow,
    list_sources,
    put_names,
    put_source,
)
from tollbridge.recording.intake_store import (
    OPEN,
    REPLAYED,
    RefusalRow,
    list_refusals,
    resolve_refusal,
)
from tollbridge.settings import Settings

NOT_IN_ORDER = 1
PAGE_ROWS = 500
FILE_BYTES_MAX = 64 * 1024 * 1024

commands = typer.Typer(help="Reports of other gateways.", no_args_is_help=True)

SourceOption = Annotated[
    str | None, typer.Option(help="Only of this source.", show_default="all sources")
]


@commands.command()
def replay(
    *, source: SourceOption = None, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Try refused records again, by the registry as it is now. Exit status 1 where some stay.

    Doing it again changes nothing.
    """
    settings = load_settings(data_dir=data_dir)
    counted, left = asyncio.run(_replay(settings, source))
    if as_json:
        print_json({"counted": counted, "refused": left})
    else:
        print_line(f"{counted} records count now")
        if left:
            rows = [(reason, str(count)) for reason, count in left.most_common()]
            print_table(("still refused", "records"), rows, right=("records",))
    if left:
        raise typer.Exit(NOT_IN_ORDER)


@commands.command()
def sources(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the registered sources."""
    rows = asyncio.run(_sources(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([_document(row) for row in rows])
        return
    print_table(
        ("source", "keys", "charges", "from", "state", "changed", "by"),
        [
            (
                row.source,
                ",".join(row.terms.keys),
                "yes" if row.terms.charges else "no",
                row.origin,
                "enabled" if row.terms.enabled else "disabled",
                time_text(row.updated_at_us),
                row.updated_by,
            )
            for row in rows
        ],
    )


@commands.command()
def register(
    source: Annotated[str, typer.Argument(help="The source.", show_default=False)],
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help='JSON lines such as {"kind": "user", "id": "7", "name": "ana"}.',
            show_default=False,
        ),
    ] = None,
    *,
    key: Annotated[
        list[str] | None,
        typer.Option(help="An API key that may report for it; again for more.", show_default=False),
    ] = None,
    charges: Annotated[
        bool | None,
        typer.Option(
            "--charges/--no-charges",
            help="Whether the budgets of the caller that a report names pay for it.",
            show_default="as it was, else not",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Register a source, and the names that its reports are checked by."""
    settings = load_settings(data_dir=data_dir)
    changes: dict[str, object] = {} if key is None else {"keys": tuple(key)}
    if charges is not None:
        changes["charges"] = charges
    count = asyncio.run(_register(settings, source, _names(path), changes))
    print_line(f"{source} is registered, with {count} names of this file")


async def _replay(settings: Settings, source: str | None) -> tuple[int, Counter[str]]:
    """Try what is open, batch by batch, so that each record keeps its key and index."""
    counted, left = 0, Counter[str]()
    clock = SystemClock()
    after: tuple[str, int] | None = None
    books: dict[str, DirectBooks] = {}
    async with opened(settings) as database:
        while True:
            async with database.read() as unit:
                rows = await list_refusals(
                    unit, source=source, state=OPEN, after=after, limit=PAGE_ROWS
                )
            for batch in _by_batch(rows):
                name = batch[0].source
                if name not in books:
                    books[name] = await DirectBooks.open(database, settings, name, clock)
                refused = await _replay_batch(books[name], batch, left)
                done = [row for row in batch if row.record_index not in refused]
                async with database.write() as unit:
                    for row in done:
                        await resolve_refusal(unit, row, REPLAYED, clock.now_us())
                counted += len(done)
            if len(rows) < PAGE_ROWS:
                return counted, left
            after = rows[-1].batch_id, rows[-1].record_index


async def _replay_batch(
    books: DirectBooks, batch: list[RefusalRow], left: Counter[str]
) -> frozenset[int]:
    """Count what can be now; return the indexes of what is refused again."""
    lines = [(row.record_index, (row.raw or "").encode()) for row in batch]
    # Without an id or a key it counts once all the same: by where it was refused.
    key = batch[0].idempotency_key or f"refused:{batch[0].batch_id}"
    _, _, checked = books.check(lines, key)
    refused = {one.index: one.reason for one in checked if isinstance(one, Refusal)}
    left.update(refused.values())
    good = [line for line in lines if line[0] not in refused]
    if good:
        await books.take(good, key, Via(batch[0].via))
    return frozenset(refused)


def _by_batch(rows: list[RefusalRow]) -> list[list[RefusalRow]]:
    found: dict[str, list[RefusalRow]] = {}
    for row in rows:
        found.setdefault(row.batch_id, []).append(row)
    return list(found.values())


async def _sources(settings: Settings) -> list[SourceRow]:
    async with opened(settings) as database, database.read() as unit:
        return await list_sources(unit)


async def _register(
    settings: Settings,
    source: str,
    names: list[RegisteredName],
    changes: Mapping[str, object],
) -> int:
    now_us = SystemClock().now_us()
    async with opened(settings) as database, database.write() as unit:
        known = {row.source: row.terms for row in await list_sources(unit)}
        terms = msgspec.structs.replace(known.get(source, UNREGISTERED), **changes)
        await put_source(unit, source, terms, actor=actor(), now_us=now_us)
        return await put_names(unit, source, names, actor=actor()) if names else 0


def _names(path: Path | None) -> list[RegisteredName]:
    if path is None:
        return []
    content = path.read_bytes()
    if len(content) > FILE_BYTES_MAX:
        raise InvalidRequestError(f"{path} has over {FILE_BYTES_MAX} bytes")
    found: list[RegisteredName] = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            if line.strip():
                found.append(msgspec.json.decode(line, type=RegisteredName))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidRequestError(f"{path}, line {number}: {error}") from error
    return found


def _document(row: SourceRow) -> dict[str, object]:
    """Return a source with what is agreed with it beside its name, as the API shows it."""
    document: dict[str, object] = msgspec.structs.asdict(row)
    terms = msgspec.structs.asdict(row.terms)
    del document["terms"]
    return {**document, **terms}
