import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.providers.head import compose_head, to_absolute_form

HOST = b"api.example.com"


def test_a_head_is_request_line_host_headers_and_length() -> None:
    head = compose_head(b"POST", b"/v1/chat?a=b", HOST, [(b"x-key", b"value")], 12)
    assert head == (
        b"POST /v1/chat?a=b HTTP/1.1\r\nhost: api.example.com\r\nx-key: value\r\n"
        b"content-length: 12\r\n\r\n"
    )


def test_a_request_without_a_body_has_no_length() -> None:
    assert compose_head(b"GET", b"/", HOST, [], None) == (
        b"GET / HTTP/1.1\r\nhost: api.example.com\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "target", "host", "header"),
    [
        (b"HEAD", b"/", HOST, (b"a", b"b")),
        (b"GET /x HTTP/1.1\r\n", b"/", HOST, (b"a", b"b")),
        (b"GET", b"/a b", HOST, (b"a", b"b")),
        (b"GET", b"/a\r\nx: y", HOST, (b"a", b"b")),
        (b"GET", b"/\x00", HOST, (b"a", b"b")),
        (b"GET", b"/\x7f", HOST, (b"a", b"b")),
        (b"GET", b"", HOST, (b"a", b"b")),
        (b"GET", b"http://other/", HOST, (b"a", b"b")),
        (b"GET", b"/", b"", (b"a", b"b")),
        (b"GET", b"/", b"a\r\nx: y", (b"a", b"b")),
        (b"GET", b"/", b"a b", (b"a", b"b")),
        (b"GET", b"/", HOST, (b"a:", b"b")),
        (b"GET", b"/", HOST, (b"a b", b"c")),
        (b"GET", b"/", HOST, (b"", b"c")),
        (b"GET", b"/", HOST, (b"a\nb", b"c")),
        (b"GET", b"/", HOST, (b"a\n", b"c")),
        (b"GET", b"/", HOST, (b"a", b"b\r\nc: d")),
        (b"GET", b"/", HOST, (b"a", b"b\n")),
        (b"GET", b"/", HOST, (b"a", b"b\x00")),
        (b"GET", b"/", HOST, (b"Content-Length", b"5")),
        (b"GET", b"/", HOST, (b"Transfer-Encoding", b"chunked")),
        (b"GET", b"/", HOST, (b"host", b"other")),
    ],
)
def test_what_could_break_out_of_its_place_is_refused(
    method: bytes, target: bytes, host: bytes, header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        compose_head(method, target, host, [header], None)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(ValueError, match="control") as caught:
        compose_head(b"GET", b"/", HOST, [(b"authorization", b"Bearer sekret\n")], None)
    assert "sekret" not in str(caught.value)


@settings(deadline=None)  # a shared machine's pauses are no failure
@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=4))
def test_whatever_the_headers_a_composed_head_has_one_line_each(
    headers: list[tuple[bytes, bytes]],
) -> None:
    try:
        head = compose_head(b"GET", b"/", HOST, headers, None)
    except ValueError:
        return
    lines = head.split(b"\r\n")
    assert len(lines) == len(headers) + 4
    assert head.count(b"\n") == head.count(b"\r") == len(headers) + 3
    for line, (name, value) in zip(lines[2:], headers, strict=False):
        assert line.partition(b":")[0] == name
        assert line.partition(b":")[2] == b" " + value


def test_the_absolute_form_names_the_whole_url_and_adds_the_proxys_lines() -> None:
    head = compose_head(b"POST", b"/v1/x?y=1", b"a.test", [(b"k", b"v")], 1)
    assert to_absolute_form(head, b"a.test:8080", b"proxy-authorization: Basic eA==\r\n") == (
        b"POST http://a.test:8080/v1/x?y=1 HTTP/1.1\r\nproxy-authorization: Basic eA==\r\n"
        b"host: a.test\r\nk: v\r\ncontent-length: 1\r\n\r\n"
    )
