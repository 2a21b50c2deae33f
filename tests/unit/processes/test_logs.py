import json

import pytest

from tollbridge.core.errors import OverloadedError
from tollbridge.processes.logs import cause_of, places_of, set_up_logs, why
from tollbridge.processes.worker import log

SECRET = "sk-secret-0123456789"


def failing(credential: str) -> None:
    raise ValueError(f"cannot use {credential}")


def test_a_fault_is_logged_by_kind_and_place_and_never_by_words_or_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs()
    try:
        failing(SECRET)
    except ValueError as error:
        log.error("fault", action="serve", kind=cause_of(error), places=places_of(error))
    line = capsys.readouterr().err
    assert SECRET not in line
    said = json.loads(line)
    assert said["kind"] == "ValueError"
    assert said["places"][-1].endswith("failing")
    assert said["action"] == "serve"


def wrapping() -> None:
    try:
        failing(SECRET)
    except ValueError as cause:
        raise OSError(SECRET) from cause


def test_the_kinds_of_an_error_and_of_its_causes_are_named() -> None:
    with pytest.raises(OSError, match=SECRET) as caught:
        wrapping()
    assert cause_of(caught.value) == "OSError < ValueError"


def test_why_a_process_ended_is_told_in_our_words_and_the_systems_and_in_nobody_elses() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    error = OverloadedError("the database does not answer")
    error.__cause__ = ValueError(f"cannot use {SECRET}")
    error.__cause__.__cause__ = refused
    assert why(error) == (
        "the database does not answer < ValueError < ConnectionRefusedError: Connection refused"
    )
