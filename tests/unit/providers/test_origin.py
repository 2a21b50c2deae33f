import pytest

from tollbridge.providers.origin import Origin


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("https://api.example.com/v1", Origin("https", "api.example.com", 443), "api.example.com"),
        ("http://Example.COM", Origin("http", "example.com", 80), "example.com"),
        ("http://127.0.0.1:9000/v1", Origin("http", "127.0.0.1", 9000), "127.0.0.1:9000"),
        ("https://[::1]:8443", Origin("https", "::1", 8443), "[::1]:8443"),
        ("http://a.test:443", Origin("http", "a.test", 443), "a.test:443"),
    ],
)
def test_a_url_has_an_origin_and_an_authority(url: str, origin: Origin, authority: str) -> None:
    assert Origin.parse(url) == origin
    assert origin.authority == authority


@pytest.mark.parametrize(
    "url", ["ftp://a", "api.example.com", "http://", "http://u:p@a", "http://a:99999", ""]
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Origin.parse(url)


def test_a_unix_origin_keeps_its_path() -> None:
    origin = Origin.unix("/run/model.sock")
    assert (origin.scheme, origin.unix_path, origin.authority) == (
        "http",
        "/run/model.sock",
        "localhost",
    )
