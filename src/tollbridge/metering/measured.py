"""How much of pictures, films, sounds and scores was made, and who says so?

What the answer itself shows is reported: its pictures, a header that counts characters, the clip
that a task gave. So is what only the request says where the provider bills by exactly that; the
wire format knows, and then says it in the attempt's counts. What else a request asked for is an
estimate, for attempts whose answer says nothing or was never seen.
"""

from collections.abc import Iterator

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.core.usage import Unit, Usage, UsageSource
from tollbridge.metering.estimate import EstimateRules

MEASURED = frozenset(
    {
        Operation.IMAGE_GENERATION,
        Operation.IMAGE_EDIT,
        Operation.VIDEO_GENERATION,
        Operation.AUDIO_SPEECH,
        Operation.AUDIO_TRANSCRIPTION,
        Operation.RERANK,
    }
)
"""What is counted by what was made; bytes and chunks say nothing of it."""
PICTURES = frozenset({Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT})
DEMAND_BYTES_PER_TOKEN = 2
"""A demand is the most that may be billed: a token for each two bytes."""
SPOKEN_CHARACTERS_PER_S = 15
"""Of speech at its usual pace: some 150 words a minute."""
SPEECH_TOKENS_PER_MIN = 1250
"""Of OpenAI's speech: its price list gives 12 USD a million tokens as about 0.015 USD a minute."""
CHARACTERS_PER_TOKEN = 4
CHARACTERS_ALONE = frozenset({Unit.CHARACTER.value})
SPEECH_ESTIMATED = "speech_estimated"
"""A flag: of speech only the characters are known, and its price is not by characters."""
INPUT = Unit.INPUT.value
OUTPUT = Unit.OUTPUT.value
IMAGE_OUTPUT = Unit.IMAGE_OUTPUT.value


def add_counted(attempt: AttemptEvidence, counts: dict[str, int]) -> None:
    """Add what the relay counted; what the provider's usage object says stands as it is."""
    for unit, count in attempt.counts.items():
        counts.setdefault(unit, count)


def split_output(opened: Opened, counts: dict[str, int], flags: list[str]) -> None:
    """Count the output of a model of pictures as pictures where its usage does not split it."""
    if opened.operation in PICTURES and OUTPUT in counts and IMAGE_OUTPUT not in counts:
        counts[IMAGE_OUTPUT] = counts[OUTPUT]
        flags.append("image_output_derived")


def asked_for(opened: Opened, rules: EstimateRules) -> dict[str, int]:
    """Return what was asked for, as an estimate of what was used."""
    counts = dict(opened.demand.counts)
    if INPUT in counts:
        counts[INPUT] = max(1, counts[INPUT] * DEMAND_BYTES_PER_TOKEN // rules.bytes_per_token)
    return counts


def spoken(usage: Usage) -> Iterator[Usage]:
    """Yield what speech of so many characters takes by other measures: tokens, then time.

    For a model that is billed by one of these and whose answer counts none of them. Nothing where
    more is known than the characters.
    """
    counts = usage.counts
    if counts.keys() != CHARACTERS_ALONE:
        return
    characters = counts[Unit.CHARACTER.value]
    length_ms = characters * 1000 // SPOKEN_CHARACTERS_PER_S
    tokens = length_ms * SPEECH_TOKENS_PER_MIN // 60_000
    for measures in (
        {
            INPUT: -(-characters // CHARACTERS_PER_TOKEN),
            OUTPUT: tokens,
            Unit.AUDIO_OUTPUT.value: tokens,
        },
        {Unit.AUDIO_MS.value: length_ms},
    ):
        yield msgspec.structs.replace(
            usage,
            counts={**counts, **measures},
            source=UsageSource.ESTIMATED,
            flags=(*usage.flags, SPEECH_ESTIMATED),
        )
