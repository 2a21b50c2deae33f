"""Which of a provider's words must nobody read?

Providers repeat the key that they refuse, whole or in part, and some tell of addresses with a key
in them. What looks like a key goes, before the words reach evidence, a log line or the caller.
"""

import re

MESSAGE_CHARACTERS_MAX = 500
FRAME_BYTES_MAX = 64 * 1024
HIDDEN = "[key]"

# What is looked at: far more than is kept, so that no key is cut before it is recognised.
_LOOKED_AT_MAX = 4 * MESSAGE_CHARACTERS_MAX
_CHARACTER = r"[A-Za-z0-9_\-.+/=~*%]"
_KEYS = re.compile(
    rf"""
    (?<![A-Za-z0-9])(?:
        (?:sk|pk|rk)[-_]{_CHARACTER}{{6,}}             # OpenAI, Anthropic, OpenRouter, Stability
      | (?:tb|gsk|hf|r8|ghp)_{_CHARACTER}{{6,}}        # ours, Groq, Hugging Face, Replicate
      | (?:xai|pplx|nvapi)-{_CHARACTER}{{6,}}
      | (?:AIza|AKIA|ya29\.|eyJ){_CHARACTER}{{6,}}     # Google, Amazon, signed tokens
    )
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    rf"""(?i:
        (?P<scheme>\b(?:bearer|basic)\s+){_CHARACTER}{{6,}}
      | (?P<name>(?:key|token|secret|password|signature|credential|authorization)
            \\?["']?\s*(?:=|:|%3D)\s*\\?["']?(?:(?:bearer|basic)\s+)?){_CHARACTER}{{6,}}
    )""",
    re.VERBOSE,
)
# A long run of such characters, if words before it speak of a key.
_RUN = re.compile(rf"{_CHARACTER}{{20,}}")
_SPEAKS_OF_KEYS = re.compile(r"(?i)key|token|secret|password|credential|bearer|authoriz")
_NEAR_CHARACTERS = 60
# Model names, dates and paths: short words and numbers, joined.
_WORDS = re.compile(r"/?[A-Za-z0-9]{1,13}(?:[-_./][A-Za-z0-9]{1,13})*[./]?")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_CUT_WORD = re.compile(r"\S+\Z")


def redact(text: str) -> str:
    """Return a provider's words as they may be kept: keys hidden, at most 500 characters.

    What is cut ends with a whole word, so that no part of a key is left. Twice is once.
    """
    shown = hide_keys(text[:_LOOKED_AT_MAX].replace("\0", "?"))
    if len(text) <= _LOOKED_AT_MAX and len(shown) <= MESSAGE_CHARACTERS_MAX:
        return shown
    return _CUT_WORD.sub("", shown[: MESSAGE_CHARACTERS_MAX - 1]) + "…"


def hide_keys(text: str) -> str:
    """Return text with what looks like a key replaced; nothing else changes, JSON stays JSON."""
    shown = _NAMED.sub(lambda match: f"{match['scheme'] or match['name']}{HIDDEN}", text)
    shown = _KEYS.sub(HIDDEN, shown)
    if _SPEAKS_OF_KEYS.search(shown) is None:
        return shown
    return _RUN.sub(_hide_run, shown)


def redact_frame(frame: bytes) -> bytes | None:
    """Return a stream's error frame as the caller may have it, None where it is too long to say."""
    if len(frame) > FRAME_BYTES_MAX:
        return None
    return hide_keys(frame.decode("utf-8", "replace")).encode()


def _hide_run(match: re.Match[str]) -> str:
    run = match[0]
    before = match.string[max(0, match.start() - _NEAR_CHARACTERS) : match.start()]
    if _SPEAKS_OF_KEYS.search(before) is None:
        return run
    if _WORDS.fullmatch(run) is not None and _UUID.search(run) is None:
        return run
    return HIDDEN
