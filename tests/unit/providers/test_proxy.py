import pytest

from tollbridge.providers.origin import Origin
from tollbridge.providers.proxy import Proxy, ProxySettings

PLAIN = "http://proxy.test:3128"
SECURE = "http://user:p%40ss@secure.test:3129"


def choose(url: str, no_proxy: str = "") -> Proxy | None:
    return ProxySettings.parse(PLAIN, SECURE, no_proxy).choose(Origin.parse(url))


def test_each_scheme_has_its_own_proxy() -> None:
    assert choose("http://a.test") == Proxy("proxy.test", 3128)
    secure = choose("https://a.test")
    assert secure is not None
    assert (secure.host, secure.port) == ("secure.test", 3129)
    assert secure.authorization == b"proxy-authorization: Basic dXNlcjpwQHNz\r\n"


def test_without_a_proxy_all_is_direct() -> None:
    assert ProxySettings.parse().choose(Origin.parse("https://a.test")) is None


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://a.test", "*", True),
        ("https://a.test", "a.test", True),
        ("https://x.a.test", "a.test", True),
        ("https://x.a.test", ".a.test", True),
        ("https://x.a.test", "*.a.test", True),
        ("https://ba.test", "a.test", False),
        ("https://a.test", "b.test, A.TEST", True),
        ("https://a.test:8443", "a.test:8443", True),
        ("https://a.test", "a.test:8443", False),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://11.1.2.3", "11.1.2.3", True),
        ("http://[fd00::1]", "fd00::/8", True),
        ("http://10.1.2.3", "example.com", False),
        ("http://127.0.0.1:9000", "", True),
        ("http://localhost:9000", "", True),
        ("https://a.test", "", False),
        ("https://a.test", " , ", False),
    ],
)
def test_no_proxy_and_loopback_are_direct(url: str, no_proxy: str, direct: bool) -> None:  # noqa: FBT001 - pytest hands parameters by name
    assert (choose(url, no_proxy) is None) is direct


@pytest.mark.parametrize(
    "url", ["https://p.test", "socks5://p.test", "http://", "http://a:99999", "http://u:%0d@p.test"]
)
def test_a_proxy_that_is_not_carried_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        Proxy.parse(url)
    assert "p.test" not in str(caught.value)


def test_connect_names_host_and_port_and_the_proxys_credentials() -> None:
    head = Proxy.parse(SECURE).connect_head(Origin.parse("https://a.test"))
    assert head == (
        b"CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n"
        b"proxy-authorization: Basic dXNlcjpwQHNz\r\n\r\n"
    )
