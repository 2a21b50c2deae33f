"""What was used, roughly, where the provider did not say?"""

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.evidence import AttemptEvidence, Opened


class EstimateRules(msgspec.Struct, frozen=True):
    """The two ratios of an estimate; settings of the operator."""

    bytes_per_token: int = 4
    tokens_per_chunk: int = 1

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a ratio that estimates nothing."""
        for name in ("bytes_per_token", "tokens_per_chunk"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1")


def estimate_input(opened: Opened, rules: EstimateRules) -> int:
    """Return the input tokens of a request by its size: at least one."""
    return max(1, opened.request_bytes // rules.bytes_per_token)


def estimate_output(attempt: AttemptEvidence, opened: Opened, rules: EstimateRules) -> int:
    """Return the output tokens that were seen: by the chunks of a stream.

    An unstreamed answer has no chunks; it is estimated by its size, so that a whole answer
    without usage is not taken for an empty one.
    """
    if opened.stream or attempt.chunks:
        return attempt.chunks * rules.tokens_per_chunk
    return attempt.output_bytes // rules.bytes_per_token
