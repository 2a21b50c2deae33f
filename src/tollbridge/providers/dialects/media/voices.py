"""Does a provider have the voice that is asked for, and what is it called there?"""

import tomllib
from functools import cache
from importlib import resources

import msgspec

from tollbridge.providers.wire import UntranslatableError

LISTED_MAX = 30


class Voices(msgspec.Struct, frozen=True):
    """The voices of one provider."""

    voices: tuple[str, ...] = ()
    """All that it has; empty: nobody knows."""
    alias: dict[str, str] = {}
    """A name of OpenAI's → the provider's own."""


@cache
def known_voices() -> dict[str, Voices]:
    """Return what voices.toml says, by provider."""
    text = (resources.files(__package__ or "") / "voices.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Voices])


def voice_at(provider: str, voice: str) -> str:
    """Return a provider's own name of a voice.

    Raises UntranslatableError, which lists those that it has, where it is known not to have it.
    """
    known = known_voices().get(provider)
    if known is None:
        return voice
    named = known.alias.get(voice, voice)
    if known.voices and named not in known.voices:
        there = ", ".join(known.voices[:LISTED_MAX])
        raise UntranslatableError(f"{provider} has no voice {voice!r}; it has {there}")
    return named
