"""Which headers come with an answer to a caller, and which of a provider's are kept?"""

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.passage import HeaderLines, Passage
from tollbridge.providers.response import Response

KEPT_HEADERS = frozenset(
    {
        b"x-request-id",
        b"request-id",
        b"openai-processing-ms",
        b"server",
        b"cf-ray",
        # Who ran the model behind an aggregator, or which cloud's door it was.
        b"x-inference-provider",
        b"x-provider-name",
        b"x-openrouter-cache-status",
        b"x-groq-region",
        b"x-ms-region",
        b"x-amzn-requestid",
        # What was used or charged, where no body says it.
        b"character-cost",
        b"x-aimlapi-usd-spent",
        b"x-character-count",
        b"x-inference-id",
        b"x-compute-time",
        b"x-compute-characters",
        b"finish-reason",
        b"seed",
    }
)
KEPT_CHARACTERS_MAX = 200


def answer_headers(passage: Passage, attempt: AttemptEvidence, content_type: bytes) -> HeaderLines:
    """Return the headers of an answer: who served it is told to the caller."""
    return (
        b"content-type: %b\r\nx-tollbridge-call-id: %b\r\nx-tollbridge-provider: %b\r\n"
        b"x-tollbridge-model: %b\r\nx-tollbridge-attempts: %d\r\n"
    ) % (
        content_type,
        passage.call_id.encode(),
        attempt.provider.encode(),
        _header_value(attempt.served_model or attempt.model),
        len(passage.attempts),
    )


def kept_headers(response: Response) -> dict[str, str]:
    """Return those of a provider's headers that say who served, or what was used."""
    return {
        name.decode("latin-1"): value.decode("latin-1")[:KEPT_CHARACTERS_MAX]
        for name, value in response.headers
        if name in KEPT_HEADERS
    }


def _header_value(text: str) -> bytes:
    """Return text as a header may carry it: other than printable ASCII becomes a question mark."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return "".join(
        character if character.isascii() and character.isprintable() else "?" for character in text
    ).encode("ascii")
