"""How much of what we would rather not have is left?"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping

from tests.tidy.bans import catch_alls
from tests.tidy.source import ROOT, Source

RATCHET = ROOT / "tests" / "tidy" / "ratchet.toml"
PYPROJECT = ROOT / "pyproject.toml"


def comments_with(sources: Iterable[Source], mark: str) -> int:
    """Return in how many comments a mark stands."""
    return sum(mark in text for source in sources for _, text in source.comments)


def counts(src: tuple[Source, ...], tests: tuple[Source, ...], pyproject: str) -> dict[str, int]:
    """Return the present figure of everything that ratchet.toml bounds."""
    return {
        "catch_alls_at_process_edges": sum(1 for source in src for _ in catch_alls(source)),
        "pyright_ignores_in_src": comments_with(src, "pyright:"),
        "pyright_ignores_in_tests": comments_with(tests, "pyright:"),
        "ruff_ignores_in_src": comments_with(src, "noqa"),
        "ruff_ignores_in_tests": comments_with(tests, "noqa"),
        "ruff_rules_switched_off": len(tomllib.loads(pyproject)["tool"]["ruff"]["lint"]["ignore"]),
    }


def slips(now: Mapping[str, int], recorded: Mapping[str, int]) -> Iterator[str]:
    """Yield what has grown, and what has shrunk without its figure being turned down."""
    for name in sorted(now.keys() | recorded.keys()):
        if name not in now or name not in recorded:
            yield f"{name}: counted or recorded, but not both"
        elif now[name] > recorded[name]:
            yield f"{name}: {now[name]}, and it may only go down from {recorded[name]}"
        elif now[name] < recorded[name]:
            yield f"{name}: well done; turn ratchet.toml down from {recorded[name]} to {now[name]}"
