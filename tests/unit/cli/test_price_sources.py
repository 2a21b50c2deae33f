import json
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

GOOD = "provider,model,unit,rate\nlocal,m,input,0.5\nlocal,m,output,1.5\n"


def written(folder: Path, text: str, name: str = "prices.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def prices_of(terminal: Terminal, provider: str) -> int:
    return len(json.loads(terminal.done("prices", "list", "--provider", provider, "--json")))


def test_a_file_is_imported_and_a_second_time_changes_nothing(terminal: Terminal) -> None:
    file = written(terminal.data_dir, GOOD)
    first = terminal.done("prices", "import", file)
    assert first.splitlines()[1].split() == ["Local", "2", "0", "0", "0"]
    again = terminal.done("prices", "import", file)
    assert again.splitlines()[1].split() == ["Local", "0", "2", "0", "0"]
    assert prices_of(terminal, "local") == 2


def test_a_dry_run_says_what_would_change_and_changes_nothing(terminal: Terminal) -> None:
    said = terminal.done("prices", "import", written(terminal.data_dir, GOOD), "--dry-run")
    assert said.splitlines()[1].split() == ["Local", "2", "0", "0", "0"]
    assert said.splitlines()[-1] == "dry run: nothing was changed"
    assert prices_of(terminal, "local") == 0


def test_a_file_with_one_bad_line_is_refused_by_its_line_and_nothing_is_written(
    terminal: Terminal,
) -> None:
    rows = "".join(f"local,m{number},input,1\n" for number in range(2_500))
    file = written(terminal.data_dir, f"provider,model,unit,rate\n{rows}local,bad,input,-1\n")
    said = terminal.refused("prices", "import", file)
    assert "prices.csv line 2502: rate: -1 is negative" in said
    assert prices_of(terminal, "local") == 0


def test_a_file_with_too_many_prices_is_refused_as_a_whole(terminal: Terminal) -> None:
    said = terminal.refused("prices", "import", written(terminal.data_dir, GOOD), "--rows-max", "1")
    assert "prices.csv has 2 prices, and --rows-max allows 1" in said
    assert prices_of(terminal, "local") == 0


def test_a_file_that_is_not_there_is_an_error(terminal: Terminal) -> None:
    assert "No such file" in terminal.refused("prices", "import", "none.csv")


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
def test_a_sync_brings_prices_and_models_and_says_how_many(terminal: Terminal) -> None:
    dry = terminal.done("prices", "sync", "--dry-run")
    assert dry.splitlines()[-1] == "dry run: nothing was changed"
    assert prices_of(terminal, "anthropic") == 0
    first = terminal.done("prices", "sync")
    assert first.splitlines()[1:-1] == dry.splitlines()[1:-2]
    assert "inactive until chosen" in first.splitlines()[-1]
    assert prices_of(terminal, "anthropic") > 200
