"""For whom a request is that came by reverse proxies, and by whoever says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.proxies import TrustedProxies

OURS = TrustedProxies.parse("10.0.0.7 192.168.0.0/16 fd00::/8", "X")


def test_nobody_is_believed_unasked() -> None:
    assert TrustedProxies.parse(" ", "X").caller("10.0.0.7", ["192.0.2.1"]) == "10.0.0.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.7", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.8", ["192.0.2.1"], "10.0.0.8"),
        ("10.0.0.7", [], "10.0.0.7"),
        # What the caller made up stands before what our proxy has seen.
        ("10.0.0.7", ["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.7", ["1.1.1.1", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.7", ["1.1.1.1, 192.0.2.1, 192.168.3.3"], "192.0.2.1"),
        ("10.0.0.7", ["192.168.3.3"], "192.168.3.3"),
        ("10.0.0.7", ["192.0.2.1, nonsense, 192.168.3.3"], "192.168.3.3"),
        ("10.0.0.7", [""], "10.0.0.7"),
        ("::ffff:10.0.0.7", ["192.0.2.1:5123"], "192.0.2.1"),
        ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("nonsense", ["192.0.2.1"], "nonsense"),
    ],
)
def test_the_caller_is_whom_the_last_believed_proxy_heard(
    peer: str, forwarded: list[str], caller: str
) -> None:
    assert OURS.caller(peer, forwarded) == caller


@given(st.lists(st.text(max_size=30), max_size=4))
def test_whatever_a_stranger_says_they_stay_who_they_are(forwarded: list[str]) -> None:
    assert OURS.caller("10.0.0.7", [*forwarded, "203.0.113.9"]) == "203.0.113.9"
    assert OURS.caller("203.0.113.9", forwarded) == "203.0.113.9"


@pytest.mark.parametrize("word", ["proxy.local", "10.0.0.0/33", "10.0.0.1/8", "*"])
def test_what_is_no_network_is_named_with_its_setting(word: str) -> None:
    with pytest.raises(ConfigurationError, match="TOLLBRIDGE_TRUSTED_PROXIES"):
        TrustedProxies.parse(f"10.0.0.7 {word}", "TOLLBRIDGE_TRUSTED_PROXIES")
