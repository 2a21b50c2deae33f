"""How does one get, see and revoke API keys?"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer

from tollbridge.access import store
from tollbridge.access.keys import KeyRow, KeyTerms, Minted, Scope
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import count_text, note, print_json, print_line, print_table, time_text
from tollbridge.cli.price_options import read_pairs
from tollbridge.core.clock import SystemClock, to_text, to_us
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.insight.key_queries import last_calls
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.settings import Settings
from tollbridge.storage import audit

commands = typer.Typer(help="API keys.", no_args_is_help=True)
PAGE_ROWS = 1000

Name = Annotated[str, typer.Argument(help="The key's name.", show_default=False)]
LIMITS = ("calls_per_minute", "concurrent_calls")
COUNTS = ("per minute", "at once")
HEADS = ("name", "key", "user", "project", "scopes", *COUNTS, "from", "last call", "state")


@commands.command()
def create(
    name: Name,
    *,
    user: Annotated[
        str | None, typer.Option(help="Whose it is.", show_default="the key's name")
    ] = None,
    project: Annotated[str, typer.Option(help="For which project.")] = "default",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="call, read or admin; may be given again.", show_default="call"),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="An instant such as 2027-01-01T00:00:00Z, or 90d.", show_default="never"),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help=f"NAME=NUMBER, of: {', '.join(LIMITS)}. May be given again.",
            show_default="unlimited",
        ),
    ] = None,
    keep_content: Annotated[
        bool, typer.Option("--keep-content", help="Keep prompts and answers of its calls.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Mint a key and print it: this is the only time that it is seen."""
    terms = KeyTerms(
        name=name,
        user=user or name,
        project=project,
        scopes=tuple(one.value for one in scope or [Scope.CALL]),
        expires_at_us=None if expires is None else expiry_us(expires, SystemClock().now_us()),
        keep_content=keep_content,
        **read_limits(limit),
    )
    minted = asyncio.run(_create(load_settings(data_dir=data_dir), terms))
    note(f"key {minted.row.terms.name} (id {minted.row.key_id}); it is shown this once:")
    print_line(minted.key)


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all keys by name."""
    rows, used = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        told = [(msgspec.to_builtins(row), used.get(row.key_id)) for row in rows]
        print_json([{**row, "last_used_at_us": used_us} for row, used_us in told])
        return
    print_table(HEADS, [_shown(row, used.get(row.key_id)) for row in rows], right=COUNTS)


@commands.command()
def revoke(name: Name, *, data_dir: DataDir = None) -> None:
    """Revoke a key for good, on all workers within a second."""
    row = asyncio.run(_revoke(load_settings(data_dir=data_dir), name))
    print_line(f"key {row.terms.name} was revoked at {to_text(row.revoked_at_us or 0)}")


@commands.command()
def rotate(name: Name, *, data_dir: DataDir = None) -> None:
    """Give a key another text and print it, this once; the old one ends within a second."""
    minted = asyncio.run(_rotate(load_settings(data_dir=data_dir), name))
    note(f"key {minted.row.terms.name} (id {minted.row.key_id}); it is shown this once:")
    print_line(minted.key)


@commands.command()
def detach(name: Name, *, data_dir: DataDir = None) -> None:
    """Take a key from the configuration file's hands."""
    asyncio.run(_detach(load_settings(data_dir=data_dir), name))
    print_line(f"key {name} is no longer the file's")


@commands.command("keep-content")
def keep_content(
    name: Name,
    *,
    off: Annotated[bool, typer.Option("--off", help="Keep nothing from now on.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Keep prompts and answers of a key's calls from now on, for a time; or stop it."""
    row = asyncio.run(_keep_content(load_settings(data_dir=data_dir), name, keep=not off))
    does = "are kept" if row.terms.keep_content else "are not kept"
    print_line(f"prompts and answers of key {row.terms.name} {does}")


def read_limits(given: Iterable[str] | None) -> dict[str, int]:
    """Return what `--limit` names, as fields of the key's terms. Raises InvalidRequestError."""
    limits: dict[str, int] = {}
    for name, text in read_pairs("--limit", given).items():
        if name not in LIMITS:
            raise InvalidRequestError(
                f"--limit: there is no {name[:50]!r}; there are: {', '.join(LIMITS)}"
            )
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
            raise InvalidRequestError(f"--limit {name} is a whole number from 1 on")
        limits[name] = int(text)
    return limits


def expiry_us(text: str, now_us: int) -> int:
    """Return the instant that `--expires` names: days from now as `90d`, or ISO 8601 with a zone.

    Raises InvalidRequestError for anything else, and for what is past.
    """
    try:
        if text.endswith("d") and text[:-1].isdigit():
            at_us = now_us + int(text[:-1]) * round(timedelta(days=1).total_seconds()) * 1_000_000
        else:
            at_us = to_us(datetime.fromisoformat(text))
    except ValueError as error:
        raise InvalidRequestError(
            f"--expires is an instant such as 2027-01-01T00:00:00Z, or days such as 90d: {error}"
        ) from error
    if at_us <= now_us:
        raise InvalidRequestError("--expires is past")
    return at_us


async def _create(settings: Settings, terms: KeyTerms) -> Minted:
    async with opened(settings) as database:
        pepper = load_pepper(settings)
        async with database.write() as unit:
            minted = await store.create_key(unit, terms, pepper)
            details = {"user": terms.user, "project": terms.project, "scopes": list(terms.scopes)}
            await audit.record(unit, actor(), "keys.create", f"key:{terms.name}", details)
            return minted


def load_pepper(settings: Settings) -> bytes:
    """Return what keys are digested under. Raises ConfigurationError where it is not here."""
    places = Places(settings.data_dir)
    if settings.database_url is not None and not places.secrets.is_dir():
        # New secrets would make a key that no worker knows.
        raise ConfigurationError(
            f"there are no secrets in {places.secrets}: name the node's directory with --data-dir",
        )
    return load_secrets(settings, places).pepper


async def _list(settings: Settings) -> tuple[list[KeyRow], dict[str, int]]:
    """Return all keys, and when each made its last call."""
    rows: list[KeyRow] = []
    used: dict[str, int] = {}
    async with opened(settings) as database, database.read() as unit:
        while True:
            page = await store.list_keys(unit, rows[-1].terms.name if rows else "", PAGE_ROWS)
            rows += page
            used |= await last_calls(unit, [row.key_id for row in page])
            if len(page) < PAGE_ROWS:
                return rows, used


async def _revoke(settings: Settings, name: str) -> KeyRow:
    async with opened(settings) as database, database.write() as unit:
        row = await store.revoke_key(unit, name)
        await audit.record(unit, actor(), "keys.revoke", f"key:{name}")
        return row


async def _rotate(settings: Settings, name: str) -> Minted:
    async with opened(settings) as database:
        pepper = load_pepper(settings)
        async with database.write() as unit:
            before = (await store.get_key(unit, name)).last4
            minted = await store.rotate_key(unit, name, pepper)
            details = {"last4": {"from": before, "to": minted.row.last4}}
            await audit.record(unit, actor(), "keys.rotate", f"key:{name}", details)
            return minted


async def _detach(settings: Settings, name: str) -> None:
    async with opened(settings) as database, database.write() as unit:
        await store.detach_key(unit, name)
        await audit.record(unit, actor(), "keys.detach", f"key:{name}")


async def _keep_content(settings: Settings, name: str, *, keep: bool) -> KeyRow:
    async with opened(settings) as database, database.write() as unit:
        row = await store.keep_content_of_key(unit, name, keep=keep)
        await audit.record(unit, actor(), "keys.change", f"key:{name}", {"keep_content": keep})
        return row


def _shown(row: KeyRow, used_us: int | None) -> tuple[str, ...]:
    terms = row.terms
    if row.revoked_at_us is not None:
        state = f"revoked {time_text(row.revoked_at_us)}"
    elif terms.expires_at_us is not None:
        state = f"expires {time_text(terms.expires_at_us)}"
    else:
        state = "good"
    return (
        terms.name,
        f"…{row.last4}",
        terms.user,
        terms.project,
        ",".join(terms.scopes),
        count_text(terms.calls_per_minute),
        count_text(terms.concurrent_calls),
        row.source,
        "never" if used_us is None else time_text(used_us),
        state,
    )
