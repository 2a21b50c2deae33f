"""By which rules is it found who served, and how does one change them from a terminal?"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from tollbridge.attribution import store
from tollbridge.attribution.rules import Rank, Rule, builtin
from tollbridge.attribution.ruling import version_of
from tollbridge.attribution.stored import ListedRule, in_force, listed
from tollbridge.cli.environment import AsJson, DataDir, actor, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import print_json, print_line, print_table
from tollbridge.core.call import Bucket
from tollbridge.core.clock import SystemClock
from tollbridge.storage.unit import Unit

commands = typer.Typer(help="The rules that say who served.", no_args_is_help=True)
T = TypeVar("T")

Id = Annotated[str, typer.Argument(help="The rule's id.", show_default=False)]
Ids = Annotated[list[str], typer.Argument(help="Each of your own rules, once.", show_default=False)]


@commands.command("list")
def list_all(
    *,
    own: Annotated[bool, typer.Option("--own", help="Only what operators added.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the rules in the order in which they are tried."""

    async def read() -> tuple[list[ListedRule], str]:
        settings = load_settings(data_dir=data_dir)
        async with opened(settings) as database, database.read() as unit:
            stored = await store.load_stored(unit)
        rules = builtin()
        return listed(rules, stored), version_of(in_force(rules, stored))

    found, version = asyncio.run(read())
    shown = [one for one in found if not own or not one.is_builtin]
    if as_json:
        rules = [
            {**msgspec.to_builtins(one.rule), "enabled": one.enabled, "is_builtin": one.is_builtin}
            for one in shown
        ]
        print_json({"rules": rules, "rules_version": version})
        return
    print_table(("rule", "rank", "provider", "sure", "when", "state"), map(_row, shown))
    print_line(f"rules version {version}")


@commands.command()
def add(
    rule_id: Id,
    *,
    rank: Annotated[Rank, typer.Option(help="The evidence it reads.", show_default=False)],
    provider: Annotated[str, typer.Option(help="Who served then.", show_default=False)],
    bucket: Annotated[list[Bucket] | None, typer.Option(help="Only in these.")] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            help="A word of a model's name or path, a host, a header or the begin of an id; "
            "may be given again."
        ),
    ] = None,
    without: Annotated[list[str] | None, typer.Option(help="None of these tokens.")] = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Add a rule behind your others, in force within a second.

    A default for a category is a rule of rank bucket: `--rank bucket --bucket video`.
    """
    field = {Rank.HOST: "hosts", Rank.HEADER: "headers", Rank.ANSWER: "id_prefixes"}
    said: dict[str, tuple[str, ...]] = {
        "buckets": tuple(one.value for one in bucket or ()),
        "without": tuple(without or ()),
        field.get(rank, "words"): tuple(match or ()),
    }
    rule = Rule(rule_id, rank, provider, note=note)
    rule = msgspec.structs.replace(rule, **said)

    async def work(unit: Unit) -> object:
        return await store.add_rule(unit, rule, actor=actor(), now_us=_now_us())

    _write(data_dir, work)
    print_line(f"{rule_id}: added")


@commands.command()
def enable(rule_id: Id, *, data_dir: DataDir = None) -> None:
    """Switch a rule on, within a second."""
    _switch(data_dir, rule_id, enabled=True)


@commands.command()
def disable(rule_id: Id, *, data_dir: DataDir = None) -> None:
    """Switch a rule off, one of yours or a built-in one, within a second."""
    _switch(data_dir, rule_id, enabled=False)


@commands.command()
def reorder(rule_ids: Ids, *, data_dir: DataDir = None) -> None:
    """Put your rules into this order; within a rank the first one that matches decides."""

    async def work(unit: Unit) -> object:
        return await store.reorder_rules(unit, rule_ids, actor=actor(), now_us=_now_us())

    _write(data_dir, work)
    print_line(", ".join(rule_ids))


@commands.command()
def remove(rule_id: Id, *, data_dir: DataDir = None) -> None:
    """Remove one of your rules."""

    async def work(unit: Unit) -> object:
        return await store.remove_rule(unit, rule_id, actor=actor())

    _write(data_dir, work)
    print_line(f"{rule_id}: removed")


def _switch(data_dir: Path | None, rule_id: str, *, enabled: bool) -> None:
    async def work(unit: Unit) -> object:
        return await store.switch_rule(
            unit, rule_id, enabled=enabled, actor=actor(), now_us=_now_us()
        )

    _write(data_dir, work)
    print_line(f"{rule_id}: {'on' if enabled else 'off'}")


def _write(data_dir: Path | None, work: Callable[[Unit], Awaitable[T]]) -> T:
    """Do something in one unit that is written at its end."""

    async def run() -> T:
        settings = load_settings(data_dir=data_dir)
        async with opened(settings) as database, database.write() as unit:
            return await work(unit)

    return asyncio.run(run())


def _now_us() -> int:
    return SystemClock().now_us()


def _row(one: ListedRule) -> tuple[str, ...]:
    rule = one.rule
    when = [*rule.hosts, *rule.headers, *rule.id_prefixes, *rule.words]
    when += [f"/{segment}/" for segment in rule.segments]
    if rule.buckets:
        when.append(f"bucket {' or '.join(rule.buckets)}")
    if rule.without:
        when.append(f"without {' '.join(rule.without)}")
    state = ("built in" if one.is_builtin else "own") + ("" if one.enabled else ", off")
    return (rule.id, rule.rank.value, rule.provider, rule.sure.value, ", ".join(when), state)
