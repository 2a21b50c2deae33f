"""What was asked and answered? Only of calls whose key or route wants it kept.

It travels beside the evidence and never in it: whoever sees usage sees no word of this.
"""

from enum import StrEnum

import msgspec


class ContentKind(StrEnum):
    """Which side of a call."""

    PROMPT = "prompt"  # the body of the request, as the caller sent it
    ANSWER = "answer"  # the body that the caller got; of a stream its text


class ContentPart(msgspec.Struct, frozen=True):
    """One side of a call."""

    kind: ContentKind
    body: str
    body_bytes: int
    """What there was; more than `body` has where it was cut."""
    truncated: bool = False

    def __repr__(self) -> str:
        """Show its size and not a word of it."""
        return f"ContentPart({self.kind.value}, {self.body_bytes} bytes)"


class Content(msgspec.Struct, frozen=True, tag_field="kind", tag="content"):
    """What of a call is kept, as the spool carries it."""

    call_id: str
    at_us: int
    parts: tuple[ContentPart, ...]


def clipped(kind: ContentKind, body: bytes, bytes_max: int) -> ContentPart:
    """Return a body as text, cut where a character ends at most `bytes_max` bytes in.

    What is no UTF-8 becomes U+FFFD.
    """
    if len(body) <= bytes_max:
        return ContentPart(kind, body.decode("utf-8", "replace"), len(body))
    end = bytes_max
    while end and body[end] & 0xC0 == 0x80:  # in the middle of a character
        end -= 1
    return ContentPart(kind, body[:end].decode("utf-8", "replace"), len(body), truncated=True)
