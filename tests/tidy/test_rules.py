"""Does the whole tree keep the rules of the house?"""

import tomllib

import pytest

from tests.tidy import bans, libraries, limits, whole_tree
from tests.tidy.ratchet import PYPROJECT, RATCHET, counts, slips
from tests.tidy.source import PACKAGE, ROOT, Rule, Violation, all_files, python_sources

SRC = python_sources("src")
TESTS = python_sources("tests")
BENCH = python_sources("bench")
MIGRATIONS = python_sources("migrations")

# Modules where a process begins, besides every __main__; nothing needs to import them.
ENTRY_POINTS = frozenset({"tollbridge.cli"})

RULES_OF_SRC: tuple[Rule, ...] = (
    limits.file_length,
    limits.module_docstring,
    bans.no_catch_all,
    bans.no_mutable_module_state,
    bans.clock_only,
    bans.no_float_money,
    bans.one_commit,
    libraries.at_home,
)
RULES_OF_SRC_TESTS_AND_BENCH: tuple[Rule, ...] = (
    limits.function_length,
    limits.parameter_count,
    bans.no_global,
    bans.no_inner_import,
    bans.reasoned_ignores,
)
RULES_OF_TESTS: tuple[Rule, ...] = (bans.no_own_patching,)


def assert_none(violations: list[Violation]) -> None:
    assert not violations, "\n" + "\n".join(str(violation) for violation in violations)


@pytest.mark.parametrize("rule", RULES_OF_SRC)
def test_src_keeps(rule: Rule) -> None:
    assert_none([violation for source in SRC for violation in rule(source)])


@pytest.mark.parametrize("rule", RULES_OF_SRC_TESTS_AND_BENCH)
def test_src_tests_and_bench_keep(rule: Rule) -> None:
    sources = (*SRC, *TESTS, *BENCH)
    assert_none([violation for source in sources for violation in rule(source)])


@pytest.mark.parametrize("rule", RULES_OF_TESTS)
def test_tests_keep(rule: Rule) -> None:
    assert_none([violation for source in TESTS for violation in rule(source)])


def test_every_package_says_what_it_owns() -> None:
    """Each package has a README of at most 40 lines: owns, does not own, invariants."""
    violations: list[Violation] = []
    for package in sorted(PACKAGE.glob("**/__init__.py")):
        readme = package.with_name("README.md")
        if package.parent != PACKAGE:
            text = readme.read_text(encoding="utf-8") if readme.exists() else None
            violations += limits.package_readme(readme.relative_to(ROOT).as_posix(), text)
    assert_none(violations)


def test_no_module_is_dead() -> None:
    """Each module of src is used by another, by a migration, or is where a process begins."""
    assert_none(list(whole_tree.dead_modules(SRC, MIGRATIONS, ENTRY_POINTS)))


def test_no_data_file_is_dead() -> None:
    """Each data file in the package is named by the code that reads it."""
    data = [
        path.relative_to(ROOT).as_posix()
        for path in all_files()
        if path.is_relative_to(PACKAGE) and path.suffix in {".toml", ".json", ".sql", ".csv"}
    ]
    assert_none(list(whole_tree.dead_data(data, (source.text for source in SRC))))


def test_no_file_names_a_machine_or_a_registry() -> None:
    """No file names a path of somebody's machine or a host that packages come from."""
    texts: dict[str, str] = {}
    for path in all_files():
        content = path.read_bytes()
        if b"\0" not in content:
            texts[path.relative_to(ROOT).as_posix()] = content.decode("utf-8", "replace")
    assert_none(list(whole_tree.leaks(texts)))


def test_the_ratchet_only_turns_down() -> None:
    """What we would rather not have never grows, and its bound follows it down."""
    recorded = tomllib.loads(RATCHET.read_text(encoding="utf-8"))
    now = counts(SRC, TESTS, PYPROJECT.read_text(encoding="utf-8"))
    assert list(slips(now, recorded)) == []
