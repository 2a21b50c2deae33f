"""An operator's rules of attribution, on both databases."""

from typing import Any

import pytest
from sqlalchemy import select

from tollbridge.attribution import store
from tollbridge.attribution.attribute import attribute
from tollbridge.attribution.rules import Rank, Rule, builtin
from tollbridge.attribution.ruling import nobody, version_of
from tollbridge.attribution.store import RuleBook
from tollbridge.core.attribution import Evidence
from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

NOW_US = 1_800_000_000_000_000
ACME = Rule("acme", Rank.MODEL, "fal", words=("acme",), without=("old",), note="ours")
OTHER = Rule("other", Rank.MODEL, "runware", words=("acme",), buckets=("video",))


async def add(database: Database, *rules: Rule) -> None:
    async with database.write() as unit:
        for rule in rules:
            await store.add_rule(unit, rule, actor="root", now_us=NOW_US)


async def served(database: Database, book: RuleBook, **known: Any) -> str:
    async with database.read() as unit:
        rules = await book.current(unit)
    return attribute(Evidence(**known), rules).provider


async def test_a_rule_comes_back_as_it_was_added(database: Database) -> None:
    await add(database, ACME, OTHER)
    async with database.read() as unit:
        found = await store.load_stored(unit)
    assert [one.rule for one in found] == [ACME, OTHER]
    assert [(one.position, one.enabled, one.version) for one in found] == [
        (1, True, 1),
        (2, True, 1),
    ]


async def test_a_book_follows_what_is_written(database: Database) -> None:
    """Add, reorder, switch off, edit and remove, each seen by the next question."""
    book = RuleBook(nobody)
    asked = {"bucket": "video", "model": "acme-1"}
    assert await served(database, book, **asked) == "unknown"
    await add(database, ACME, OTHER)
    assert await served(database, book, **asked) == "fal"
    async with database.write() as unit:
        await store.reorder_rules(unit, ["other", "acme"], actor="root", now_us=NOW_US)
    assert await served(database, book, **asked) == "runware"
    async with database.write() as unit:
        await store.switch_rule(unit, "other", enabled=False, actor="root", now_us=NOW_US)
    assert await served(database, book, **asked) == "fal"
    edited = Rule("acme", Rank.MODEL, "piapi", words=("acme",))
    async with database.write() as unit:
        [one] = [one for one in await store.load_stored(unit) if one.rule_id == "acme"]
        await store.edit_rule(unit, edited, one.version, actor="root", now_us=NOW_US)
    assert await served(database, book, **asked) == "piapi"
    async with database.write() as unit:
        await store.remove_rule(unit, "acme", actor="root")
    assert await served(database, book, **asked) == "unknown"


async def test_a_book_makes_nothing_anew_where_nothing_changed(database: Database) -> None:
    book = RuleBook(nobody)
    async with database.read() as unit:
        assert await book.current(unit) is await book.current(unit)


async def test_a_built_in_rule_is_switched_and_never_removed(database: Database) -> None:
    book = RuleBook(nobody)
    for enabled, provider in ((False, "unknown"), (True, "stability")):
        async with database.write() as unit:
            await store.switch_rule(
                unit, "bucket-stability", enabled=enabled, actor="root", now_us=NOW_US
            )
        assert await served(database, book, bucket="stability") == provider
    async with database.read() as unit:
        assert (await book.current(unit)).version == version_of(builtin())
    with pytest.raises(ConflictError, match="built in"):
        async with database.write() as unit:
            await store.remove_rule(unit, "bucket-stability", actor="root")


async def test_an_id_is_taken_once_by_whomever(database: Database) -> None:
    await add(database, ACME)
    for taken in ("acme", "bucket-stability"):
        with pytest.raises(ConflictError):
            await add(database, Rule(taken, Rank.MODEL, "fal", words=("x",)))


async def test_an_edit_from_an_old_version_is_refused(database: Database) -> None:
    await add(database, ACME)
    async with database.write() as unit:
        await store.edit_rule(unit, ACME, 1, actor="ada", now_us=NOW_US)
    with pytest.raises(ConflictError, match="meanwhile by ada"):
        async with database.write() as unit:
            await store.edit_rule(unit, ACME, 1, actor="root", now_us=NOW_US)


async def test_an_order_names_each_rule_once(database: Database) -> None:
    await add(database, ACME, OTHER)
    for wrong in (["acme"], ["acme", "acme"], ["acme", "bucket-stability"], []):
        with pytest.raises(InvalidRequestError):
            async with database.write() as unit:
                await store.reorder_rules(unit, wrong, actor="root", now_us=NOW_US)


async def test_what_is_refused_changes_nothing_and_an_unknown_rule_is_not_found(
    database: Database,
) -> None:
    for rule_id in ("nobody", "acme"):
        with pytest.raises(NotFoundError):
            async with database.write() as unit:
                await store.switch_rule(unit, rule_id, enabled=True, actor="root", now_us=NOW_US)
    with pytest.raises(InvalidRequestError):
        await add(database, Rule("bad", Rank.MODEL, "fal"))
    async with database.read() as unit:
        assert await store.load_stored(unit) == []
        assert store.PART not in await read_versions(unit)


async def test_who_changed_a_rule_is_written_down(database: Database) -> None:
    await add(database, ACME)
    async with database.write() as unit:
        await store.remove_rule(unit, "acme", actor="ada")
    async with database.read() as unit:
        columns = audit_entries.c
        found = await unit.connection.execute(
            select(columns.actor, columns.action, columns.subject, columns.details)
        )
        rows = found.all()
    assert [tuple(row)[:3] for row in rows] == [
        ("root", "attribution.add_rule", "rule:acme"),
        ("ada", "attribution.remove_rule", "rule:acme"),
    ]
    assert rows[1].details["provider"] == "fal"
