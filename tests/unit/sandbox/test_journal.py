from pathlib import Path

from tollbridge.core.clock import ManualClock
from tollbridge.sandbox.journal import MODELS_TALLIED_MAX, OTHER_MODELS, Journal, read_log
from tollbridge.sandbox.usage import Usage


def test_a_request_is_in_the_file_as_soon_as_it_is_received(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Journal(ManualClock(), path=path).open("/v1/models", "abc", "1234")
    (entry,) = read_log(path)
    assert (entry.client_request_id, entry.key_suffix, entry.outcome) == ("abc", "1234", "open")


def test_a_reader_sees_one_entry_in_its_latest_state(tmp_path: Path) -> None:
    path = tmp_path / "log"
    clock = ManualClock()
    journal = Journal(clock, path=path)
    entry = journal.open("/v1/models", None, "")
    clock.advance(1.5)
    entry.outcome = "complete"
    journal.close(entry)
    (read,) = read_log(path)
    assert read == entry
    assert read.ended_at_us == read.started_at_us + 1_500_000
    assert len(path.read_bytes().splitlines()) == 2


def test_a_half_written_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    journal = Journal(ManualClock(), path=path)
    journal.open("/v1/models", "whole", "")
    with path.open("ab") as file:
        file.write(b'{"event":"recei')
    assert [entry.client_request_id for entry in read_log(path)] == ["whole"]


def test_two_runs_in_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    clock = ManualClock()
    for name in ("first", "second"):
        Journal(clock, path=path).open("/v1/models", name, "")
        clock.advance(1)
    assert [entry.client_request_id for entry in read_log(path)] == ["first", "second"]


def test_an_entry_that_nobody_ended_was_cut() -> None:
    journal = Journal(ManualClock())
    entry = journal.open("/v1/models", None, "")
    journal.close(entry)
    assert entry.outcome == "cut"


def test_the_tally_outlives_the_entries_in_memory() -> None:
    journal = Journal(ManualClock(), entries_max=2)
    for _ in range(5):
        entry = journal.open("/v1/models", None, "")
        entry.usage = Usage(prompt_tokens=7, cached_tokens=3)
        journal.close(entry)
    assert len(journal.entries) == 2
    assert (journal.tally.finished, journal.tally.prompt_tokens) == (5, 35)
    assert journal.tally.cached_tokens == 15


def test_beyond_the_limit_models_share_one_tally() -> None:
    journal = Journal(ManualClock())
    for number in range(MODELS_TALLIED_MAX + 5):
        entry = journal.open("/v1/models", None, "")
        entry.model = str(number)
        journal.close(entry)
    assert len(journal.tally_by_model) == MODELS_TALLIED_MAX + 1
    assert journal.tally_by_model[OTHER_MODELS].finished == 5
