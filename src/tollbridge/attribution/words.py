"""Of which words does a name consist that somebody else has given?"""

from typing import Final

TEXT_CHARACTERS_MAX: Final = 512
"""Of a model's name or a path; what follows is not looked at."""
SHORTEST_BEFORE_DIGITS: Final = 3
"""Of a word that a number may follow in its token: "veo" is in "veo3", but nothing in "hf2"."""
DIGITS: Final = b"0123456789"

# What each byte becomes: ASCII letters small, all else of ASCII but digits a blank. Bytes beyond
# are parts of other letters, and stay. As bytes, for that is much faster than to translate text.
_PLAIN: Final = bytes(
    code if code > 127 else ord(chr(code).lower() if chr(code).isalnum() else " ")
    for code in range(256)
)


def split(text: str) -> list[bytes]:
    """Return the tokens of a text: runs of letters and digits, in lower case."""
    return text[:TEXT_CHARACTERS_MAX].encode("utf-8", "replace").translate(_PLAIN).split()


def phrase(word: str) -> bytes:
    """Return a word of a rule as it stands among blanks."""
    return b" %b " % b" ".join(split(word))
