"""Which bytes open a request, and can nobody smuggle a second one into them?"""

import re
from collections.abc import Sequence
from typing import Final

# HEAD and CONNECT answer without the body that their head announces, so a parser of plain
# responses would misread what follows; nothing here needs them.
METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"})

# What frames the message, or belongs to the connection, is written here and nowhere else.
FRAMING_NAMES: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE_IN_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET: Final = re.compile(rb"/[\x21-\x22\x24-\x7e]*")  # no space, control, '#' or raw UTF-8


def compose_head(
    method: bytes,
    target: bytes,
    host: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body_length: int | None,
) -> bytes:
    """Return request line, headers and blank line of a request in origin form.

    `target` begins with a slash; `body_length` is in bytes, None for a request without a body.
    Raises ValueError, naming no value, for a method that is not carried, for a target with spaces
    or control characters, for a header that frames the message, and for CR, LF, NUL or any other
    control character in a name or a value.
    """
    if method not in METHODS:
        raise ValueError("this method is not carried")
    if _TARGET.fullmatch(target) is None:
        raise ValueError("a request target begins with a slash and has no spaces or controls")
    names = [name for name, _ in headers]
    if not all(map(_NAME.fullmatch, names)):
        raise ValueError("a header name is not a token")
    if _UNSAFE_IN_VALUE.search(b"".join([host, *[value for _, value in headers]])) is not None:
        raise ValueError("a header value contains a control character")
    if not host or b" " in host:
        raise ValueError("the host is empty or contains a space")
    if not FRAMING_NAMES.isdisjoint([name.lower() for name in names]):
        raise ValueError("a header frames the message; these are the transport's own")
    lines = [b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, target, host)]
    lines += [b"%b: %b\r\n" % header for header in headers]
    lines.append(b"\r\n" if body_length is None else b"content-length: %d\r\n\r\n" % body_length)
    return b"".join(lines)


def to_absolute_form(head: bytes, authority: bytes, proxy_headers: bytes) -> bytes:
    """Return a composed head as a forward proxy wants it: the whole URL as its target.

    `proxy_headers` are ready lines for the proxy alone, each with its CRLF (RFC 9112 3.2.2).
    """
    request_line, _, rest = head.partition(b"\r\n")
    method, _, target = request_line.partition(b" ")
    return b"%b http://%b%b\r\n%b%b" % (method, authority, target, proxy_headers, rest)
