"""Do the documents keep their own rules, and do their links lead somewhere?"""

import re
from pathlib import Path

import pytest

from tests.tidy.source import ROOT, all_files

DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
PAGES = [path for path in all_files() if path.suffix == ".md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
RECORD_LINES_MAX = 40


def heading_anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as a reader's browser knows them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    broken: list[str] = []
    for link in LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (
            anchor and anchor not in heading_anchors(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    return broken


def test_records_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert RECORDS


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_short_and_complete(record: Path) -> None:
    """A record has at most 40 lines: its number, context, decision, consequences."""
    text = record.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= RECORD_LINES_MAX
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_index_names_every_record() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in RECORDS if f"]({path.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The way of a call\n", encoding="utf-8")
    text = "[a](gone.md) [b](page.md#gone) [c](#the-way-of-a-call) [d](https://example.com)"
    assert broken_links(page, text) == ["gone.md", "page.md#gone"]


def test_make_help_lists_every_target() -> None:
    """Each target that a person calls says what it does; the steps of others need not."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    documented = set(re.findall(r"^([a-z]+):.*## \w", makefile, re.MULTILINE))
    steps = {"format", "lint", "types", "imports", "tidy", "pages", "chromium"}
    assert set(phony[1].split()) - steps == documented
