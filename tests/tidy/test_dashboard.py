"""Does the dashboard keep the rules of the house that its own tools do not know?"""

import json
import re
from pathlib import Path

from tests.tidy.source import ROOT

SOURCE = ROOT / "dashboard" / "src"
LINES_MAX = 250
# Made from the API's description.
MADE = {"api/schema.d.ts"}
IMPORT = re.compile(r"""from\s+"([^"]+)"|import\("([^"]+)"\)""")


def files() -> list[Path]:
    return [
        path
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in {".ts", ".tsx", ".css"} and str(path.relative_to(SOURCE)) not in MADE
    ]


def test_every_file_fits() -> None:
    """A file of the dashboard has at most 250 lines."""
    assert len(files()) > 20
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in files()}
    assert {path.name: count for path, count in lines.items() if count > LINES_MAX} == {}


def test_no_feature_imports_another() -> None:
    """A page knows what is shared, and no other page."""
    found: list[str] = []
    for path in (SOURCE / "features").rglob("*.ts*"):
        own = path.relative_to(SOURCE / "features").parts[0]
        for match in IMPORT.finditer(path.read_text("utf-8")):
            target = match[1] or match[2]
            if target.startswith("@/features/"):
                other = target.split("/")[2]
            elif target.startswith(".."):
                place = (path.parent / target).resolve()
                inside = place.is_relative_to(SOURCE / "features")
                other = place.relative_to(SOURCE / "features").parts[0] if inside else own
            else:
                continue
            if other != own:
                found.append(f"{path.relative_to(SOURCE)}: {target}")
    assert found == []


def test_every_file_says_which_question_it_answers() -> None:
    """A module of the dashboard begins with the question that it answers."""
    silent = [
        str(path.relative_to(SOURCE))
        for path in files()
        if path.suffix != ".css" and not path.read_text("utf-8").startswith("/**")
    ]
    assert silent == []


def test_the_lock_names_no_place_to_download_from() -> None:
    """`package-lock.json` pins every package by its hash and names no host."""
    lock = json.loads((ROOT / "dashboard/package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if "integrity" not in one] == []


def test_every_part_of_mantine_has_one_version() -> None:
    """All @mantine packages are the same version: they are made to fit one another."""
    package = json.loads((ROOT / "dashboard/package.json").read_text("utf-8"))
    versions = {
        version for name, version in package["dependencies"].items() if name.startswith("@mantine/")
    }
    assert len(versions) == 1
