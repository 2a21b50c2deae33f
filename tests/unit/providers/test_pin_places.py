"""An id that was given to a caller says where it lies, down to the account of one key."""

import hashlib

import pytest

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.pins import Sign, at_place, place_of, unpinned
from tollbridge.providers.request import Request

SIGN = Sign("project", lambda message: hashlib.sha256(message).digest())


@pytest.mark.parametrize("key", [None, "KEY_2"])
def test_an_id_names_its_endpoint_and_the_key_that_was_used(key: str | None) -> None:
    given = "resp_1" + SIGN.suffix("resp_1", place_of("openai", key))
    body = b'{"previous_response_id": "%b"}' % given.encode()
    asked = Request(Operation.CHAT_COMPLETION, body, "m", state_id=given)
    request = unpinned(asked, SIGN)
    assert (request.endpoint, request.endpoint_key) == ("openai", key)
    assert request.state_id == "resp_1"
    assert at_place(SIGN.unpin(given)[0]) == ("openai", key)


def test_an_id_of_one_key_is_not_taken_for_anothers() -> None:
    given = "resp_1" + SIGN.suffix("resp_1", "openai/KEY_1")
    other = "resp_1" + SIGN.suffix("resp_1", "openai/KEY_2")
    forged = given.rpartition("_")[0] + "_" + other.rpartition("_")[2]
    with pytest.raises(InvalidRequestError):
        SIGN.unpin(forged)
