"""Do the locks pin everything that is asked for, by hash, and name no place to fetch it from?"""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy.source import ROOT

RUN = "run.lock"
DEV = "dev.lock"
# What a tool may add from its surroundings: options and addresses. Hashes are the only option.
PLACE = re.compile(r"(?<!\S)--(?!hash=)[a-z-]+|(?<!\S)-[a-z]\s|\w+://|\s@\s|file:|(?<!\w)/\w+/")


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Return each requirement with its hashes as one line, comments left out."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [" ".join(block.split()) for block in code.replace("\\\n", " ").splitlines() if block]


def pins(text: str) -> dict[str, list[Requirement]]:
    """Return what is pinned, by name; a name may be pinned once per platform."""
    found: dict[str, list[Requirement]] = {}
    for block in blocks(text):
        requirement = Requirement(block.partition(" --hash=")[0])
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def unhashed(text: str) -> list[str]:
    """Return the requirements that are not exactly pinned and hashed."""
    return [
        block
        for block in blocks(text)
        if not re.match(r"[\w.\[\],-]+==[\w.!+]+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+$", block)
    ]


def places(text: str) -> list[str]:
    """Return the lines that name an option, an address or a path."""
    written = (line for line in text.splitlines() if "-c requirements/dev.lock" not in line)
    return [line for line in written if PLACE.search(line)]


def asked_for(group: str) -> list[Requirement]:
    """Return the direct dependencies of the project, or of one of its groups."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = (
        project["project"]["dependencies"] if group == RUN else project["dependency-groups"][group]
    )
    return [Requirement(text) for text in texts]


def unmet(requirements: list[Requirement], text: str) -> list[str]:
    """Return the requirements that a lock does not satisfy."""
    pinned = pins(text)
    return [
        str(requirement)
        for requirement in requirements
        if not any(
            requirement.specifier.contains(str(pin.specifier).removeprefix("=="), prereleases=True)
            for pin in pinned.get(canonicalize_name(requirement.name), [])
        )
    ]


@pytest.mark.parametrize("name", [RUN, DEV])
def test_everything_is_pinned_with_hashes(name: str) -> None:
    assert blocks(lock_text(name))
    assert unhashed(lock_text(name)) == []


@pytest.mark.parametrize("name", [RUN, DEV])
def test_no_lock_names_a_place(name: str) -> None:
    """A lock holds no download host, index, link or path: those belong to who installs."""
    assert places(lock_text(name)) == []


@pytest.mark.parametrize("name", [RUN, DEV])
def test_a_lock_says_how_it_is_remade(name: str) -> None:
    assert "make lock" in lock_text(name).splitlines()[1]


def test_the_locks_follow_pyproject() -> None:
    """Each direct dependency is pinned at a version that pyproject.toml allows."""
    assert unmet(asked_for(RUN), lock_text(RUN)) == []
    assert unmet([*asked_for(RUN), *asked_for("dev")], lock_text(DEV)) == []


def test_tests_run_on_what_is_shipped() -> None:
    """The lock for development pins everything that the lock for running pins, alike."""
    shipped, tested = pins(lock_text(RUN)), pins(lock_text(DEV))
    assert {name: [str(p.specifier) for p in tested.get(name, [])] for name in shipped} == {
        name: [str(p.specifier) for p in found] for name, found in shipped.items()
    }


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.com/simple",
        "--extra-index-url https://example.com/simple",
        "--find-links wheels",
        "-e .",
        "-f wheels",
        "ruff @ https://example.com/ruff.whl",
        "ruff @ file:ruff.whl",
        "#    uv pip compile /srv/tollbridge/pyproject.toml",
    ],
)
def test_a_place_is_noticed(line: str) -> None:
    assert places(f"# made by\n{line}\n") == [line]


@pytest.mark.parametrize("text", ["ruff==1.0\n", "ruff>=1.0 --hash=sha256:" + "0" * 64, "ruff"])
def test_a_missing_pin_or_hash_is_noticed(text: str) -> None:
    assert unhashed(text)


def test_a_dependency_without_pin_is_noticed() -> None:
    text = "ruff==1.0 \\\n    --hash=sha256:" + "0" * 64
    assert unmet([Requirement("ruff>=2"), Requirement("mypy")], text) == ["ruff>=2", "mypy"]
    assert unmet([Requirement("Ruff>=1")], text) == []
