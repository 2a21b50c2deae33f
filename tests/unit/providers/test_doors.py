"""With which address, key and headers is an endpoint's door knocked at?"""

import pytest

from tollbridge.core.plan import Endpoint, ProviderKey
from tollbridge.providers.doors import HEADS_MAX, Door, Doors
from tollbridge.providers.wire import Outgoing

BASE = "http://127.0.0.1:9/a/v1"


def door(dialect: str = "openai", auth: str = "bearer") -> Door:
    """Return the door of an endpoint with a key."""
    return Doors().door(Endpoint("e", "p", dialect, BASE, api_key="secret", auth=auth))


def lines(head: bytes) -> list[bytes]:
    """Return a head's lines, the request line first."""
    return head.split(b"\r\n")


@pytest.mark.parametrize(
    ("dialect", "auth", "line"),
    [
        ("openai", "bearer", b"authorization: Bearer secret"),
        ("openai", "key", b"authorization: Key secret"),
        ("openai", "x-api-key", b"x-api-key: secret"),
        ("anthropic", "bearer", b"x-api-key: secret"),
        ("gemini", "bearer", b"x-goog-api-key: secret"),
        ("azure", "bearer", b"api-key: secret"),
        ("elevenlabs", "bearer", b"xi-api-key: secret"),
    ],
)
def test_the_key_stands_where_the_provider_looks(dialect: str, auth: str, line: bytes) -> None:
    """An endpoint that says nothing has its wire format's way."""
    head = door(dialect, auth=auth).head(Outgoing("/x", b"{}"), "id")
    assert line in lines(head)
    assert head.count(b"secret") == 1


def test_no_key_is_sent_where_none_is_wanted() -> None:
    """A key that is there all the same stays here."""
    assert b"secret" not in door(auth="none").head(Outgoing("/x", b"{}"), "id")


def test_anthropic_is_always_told_a_version() -> None:
    """It refuses requests without one."""
    assert b"anthropic-version: 2023-06-01" in lines(
        door("anthropic").head(Outgoing("/v1/messages", b"{}"), "id")
    )


def test_each_named_key_has_a_door_of_its_own() -> None:
    """The keys of one endpoint take turns."""
    keys = (ProviderKey("a", "first"), ProviderKey("b", "second"))
    endpoint = Endpoint("e", "p", "openai", BASE, api_key="first", keys=keys)
    doors = Doors()
    for name, secret in (("a", b"first"), ("b", b"second"), ("a", b"first")):
        head = doors.door(endpoint, name).head(Outgoing("/x", b"{}"), "id")
        assert b"authorization: Bearer " + secret in lines(head)


def test_a_get_has_neither_body_nor_length() -> None:
    """What is fetched has no content of ours."""
    head = door().head(Outgoing("/responses/r%25?a=b", method=b"GET"), "id")
    assert lines(head)[0] == b"GET /a/v1/responses/r%25?a=b HTTP/1.1"
    assert b"content-" not in head


def test_a_target_may_stand_above_the_base_url() -> None:
    """Some providers have their media beside what is OpenAI's."""
    head = door().head(Outgoing("/v2/x", b"{}", above=1), "id")
    assert lines(head)[0] == b"POST /a/v2/x HTTP/1.1"


def test_a_ready_head_is_used_again_with_another_id_and_length() -> None:
    """A percent sign in the address stays one."""
    here = door()
    first = here.head(Outgoing("/x%20y", b"{}"), "one")
    second = here.head(Outgoing("/x%20y", b"{...}"), "two")
    assert len(here.heads) == 1
    assert second == first.replace(b"one", b"two").replace(b"length: 2", b"length: 5")
    assert lines(second)[0] == b"POST /a/v1/x%20y HTTP/1.1"


def test_ready_heads_are_bounded() -> None:
    """Addresses that differ each time do not fill our memory."""
    here = door()
    for number in range(3 * HEADS_MAX):
        here.head(Outgoing(f"/{number}", b"{}"), "id")
    assert len(here.heads) <= HEADS_MAX


def test_what_a_caller_gave_cannot_replace_a_credential() -> None:
    """Headers that a face let through stand below our own."""
    head = door("anthropic").head(
        Outgoing("/x", b"{}"), "id", ((b"x-api-key", b"theirs"), (b"anthropic-beta", b"b"))
    )
    assert b"x-api-key: secret" in lines(head)
    assert b"anthropic-beta: b" in lines(head)
    assert b"theirs" not in head


def test_a_line_end_in_a_header_is_refused() -> None:
    """Nobody smuggles a second request."""
    with pytest.raises(ValueError, match="control character"):
        door().head(Outgoing("/x", b"{}"), "id", ((b"openai-beta", b"x\r\ny: z"),))
