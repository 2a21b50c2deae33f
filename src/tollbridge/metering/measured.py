"""How much of pictures, films, sounds and scores was made, and who says so?

What the answer itself shows is reported: its pictures, a header that counts characters, the clip
that a task gave. So is what only the request says where the provider bills by exactly that; the
wire format knows, and then says it in the attempt's counts. What else a request asked for is an
estimate, for attempts whose answer says nothing or was never seen.
"""

from tollbridge.core.call import Operation
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.core.usage import Unit
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
