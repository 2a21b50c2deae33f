"""Who may sign in, and what may each of them do?"""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer

from tollbridge.access import session_store, user_store
from tollbridge.access.sessions import SessionListed
from tollbridge.access.users import Role, UserRow, UserTerms, hash_password
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.keys import load_pepper
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table, time_text
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.processes.welcome import sign_in_link
from tollbridge.settings import Settings
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

commands = typer.Typer(help="People who may sign in.", no_args_is_help=True)
PAGE_ROWS = 1000

Name = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]
Project = Annotated[
    list[str] | None,
    typer.Option(help="A project that a manager manages; may be given again.", show_default="none"),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read a password from standard input.")
]


@commands.command("list")
def list_all(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List all users by name."""
    rows = asyncio.run(_list(load_settings(data_dir=data_dir)))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(("name", "role", "projects", "signs in by", "state"), [_shown(row) for row in rows])


@commands.command()
def create(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.MEMBER,
    project: Project = None,
    password_stdin: PasswordStdin = False,
    data_dir: DataDir = None,
) -> None:
    """Add a user; without a password they sign in by a link (`tollbridge users link`) or OIDC."""
    terms = UserTerms(name, role, tuple(project or ()))
    hashed = hash_password(_read_password()) if password_stdin else None
    row = asyncio.run(_create(load_settings(data_dir=data_dir), terms, hashed))
    print_line(f"user {row.name} was added as {row.role.value}")


@commands.command("set")
def set_terms(
    name: Name,
    *,
    role: Annotated[
        Role | None, typer.Option(help="What they may do.", show_default="as it is")
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(
            help="A project that a manager manages; may be given again. Replaces them all.",
            show_default="as they are",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Change a user's role, or the projects that they manage; at once."""
    projects = None if project is None else tuple(project)
    row = asyncio.run(_set(load_settings(data_dir=data_dir), name, role, projects))
    managed = f" of {', '.join(row.projects)}" if row.projects else ""
    print_line(f"user {row.name} is {row.role.value}{managed}")


@commands.command()
def password(
    name: Name,
    *,
    none: Annotated[
        bool, typer.Option("--none", help="Let them sign in with none any more.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Give a user the password that is read from standard input; it signs them out everywhere."""
    hashed = None if none else hash_password(_read_password())
    asyncio.run(_password(load_settings(data_dir=data_dir), name, hashed))
    print_line(f"user {name} has {'no' if none else 'another'} password, and is signed out")


@commands.command()
def disable(name: Name, *, data_dir: DataDir = None) -> None:
    """Let a user in no longer, nor any key of theirs, on all workers within a second."""
    asyncio.run(_disable(load_settings(data_dir=data_dir), name, disabled=True))
    print_line(f"user {name} is disabled")


@commands.command()
def enable(name: Name, *, data_dir: DataDir = None) -> None:
    """Let a user in again, and their keys."""
    asyncio.run(_disable(load_settings(data_dir=data_dir), name, disabled=False))
    print_line(f"user {name} is enabled")


@commands.command()
def link(name: Name, *, data_dir: DataDir = None) -> None:
    """Print a link that signs a user in, once and for a time."""
    settings = load_settings(data_dir=data_dir)
    token = asyncio.run(_link(settings, name))
    note(f"it signs {name} in once, within {settings.sign_in_link_lifetime_s:.0f} s:")
    print_line(sign_in_link(settings, token))


@commands.command()
def sessions(name: Name, *, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List a user's sessions of the dashboard that have not ended."""
    rows = asyncio.run(_sessions(load_settings(data_dir=data_dir), name))
    if as_json:
        print_json([msgspec.to_builtins(row) for row in rows])
        return
    print_table(
        ("begun", "last used", "by", "address", "browser"),
        [
            (
                time_text(row.created_at_us),
                time_text(row.renewed_at_us),
                row.way,
                row.origin.address or "",
                row.origin.agent or "",
            )
            for row in rows
        ],
    )


@commands.command("end-sessions")
def end_sessions(name: Name, *, data_dir: DataDir = None) -> None:
    """Sign a user out of all their sessions; their password stays."""
    ended = asyncio.run(_end_sessions(load_settings(data_dir=data_dir), name))
    print_line(f"user {name}: {ended} sessions were ended")


async def _list(settings: Settings) -> list[UserRow]:
    rows: list[UserRow] = []
    async with opened(settings) as database, database.read() as unit:
        while True:
            page = await user_store.list_users(unit, rows[-1].name if rows else "", PAGE_ROWS)
            rows += page
            if len(page) < PAGE_ROWS:
                return rows


async def _create(settings: Settings, terms: UserTerms, hashed: str | None) -> UserRow:
    async with opened(settings) as database, database.write() as unit:
        row = await user_store.create_user(unit, terms, hashed)
        await _record(unit, "users.create", None, row)
        return row


async def _set(
    settings: Settings, name: str, role: Role | None, projects: tuple[str, ...] | None
) -> UserRow:
    async with opened(settings) as database, database.write() as unit:
        before = await user_store.get_user(unit, name)
        after = await user_store.set_role(unit, name, role or before.role, projects)
        await _record(unit, "users.change", before, after)
        return after


async def _password(settings: Settings, name: str, hashed: str | None) -> None:
    async with opened(settings) as database, database.write() as unit:
        row = await user_store.set_password_hash(unit, name, hashed)
        details = {"has_password": row.has_password}
        await audit.record(unit, actor(), "users.set_password", f"user:{name}", details)


async def _disable(settings: Settings, name: str, *, disabled: bool) -> None:
    async with opened(settings) as database, database.write() as unit:
        before = await user_store.get_user(unit, name)
        after = await user_store.set_disabled(unit, name, disabled=disabled)
        await _record(unit, "users.change", before, after)


async def _link(settings: Settings, name: str) -> str:
    async with opened(settings) as database:
        pepper = load_pepper(settings)
        async with database.write() as unit:
            token = await session_store.make_link(
                unit,
                name,
                pepper=pepper,
                lifetime_s=settings.sign_in_link_lifetime_s,
                now_us=SystemClock().now_us(),
            )
            await audit.record(unit, actor(), "users.link", f"user:{name}")
            return token


async def _sessions(settings: Settings, name: str) -> list[SessionListed]:
    async with opened(settings) as database, database.read() as unit:
        await user_store.get_user(unit, name)
        return await session_store.list_sessions(unit, name, SystemClock().now_us())


async def _end_sessions(settings: Settings, name: str) -> int:
    async with opened(settings) as database, database.write() as unit:
        await user_store.get_user(unit, name)
        ended = await session_store.end_sessions(unit, name, None, SystemClock().now_us())
        if ended:
            details = {"sessions": ended}
            await audit.record(unit, actor(), "users.end_sessions", f"user:{name}", details)
        return ended


async def _record(unit: Unit, action: str, before: UserRow | None, after: UserRow) -> None:
    await audit.record_change(
        unit,
        actor(),
        action,
        f"user:{after.name}",
        before=None if before is None else before.state(),
        after=after.state(),
    )


def _read_password() -> str:
    # Never an argument: other processes of the machine would see it.
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    text = sys.stdin.readline().rstrip("\n")
    if not text:
        raise InvalidRequestError("no password came on standard input")
    return text


def _shown(row: UserRow) -> tuple[str, ...]:
    ways = [
        *(["password"] if row.has_password else []),
        *(["oidc"] if row.is_linked else []),
        "link",
    ]
    state = "good" if row.disabled_at_us is None else f"disabled {time_text(row.disabled_at_us)}"
    return row.name, row.role.value, ",".join(row.projects), ",".join(ways), state
