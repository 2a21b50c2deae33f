"""In what does a provider that speaks OpenAI's format differ from OpenAI?

`Manner` is OpenAI itself; a provider overrides what it does otherwise.
Source of the shapes: OpenAI's API reference for chat completions, completions and embeddings.
"""

from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import Answer
from tollbridge.sandbox.frame import Headers, latin
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Usage
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]

INPUT_USD: Final = Decimal("0.00000015")
OUTPUT_USD: Final = Decimal("0.0000006")
"""What providers that state an amount charge for a token here: as for `sandbox-small`."""


class Shape(NamedTuple):
    """One of the two text surfaces: what differs between chat and legacy completions."""

    id_prefix: str
    body_object: str
    chunk_object: str
    is_chat: bool
    form: usage.Form


CHAT: Final = Shape(
    id_prefix="chatcmpl-",
    body_object="chat.completion",
    chunk_object="chat.completion.chunk",
    is_chat=True,
    form=usage.CHAT,
)
TEXT: Final = Shape(
    id_prefix="cmpl-",
    body_object="text_completion",
    chunk_object="text_completion",
    is_chat=False,
    form=usage.COMPLETION,
)


class Manner:
    """OpenAI."""

    usage_at: Literal["own", "finish", "after", "content"] = "own"
    """Where a stream tells its usage: in a chunk of its own, with the finish reason, in a chunk
    with an empty delta after it, or in the last chunk with content."""
    usage_unasked = False
    """Whether a stream tells its usage without `stream_options.include_usage`."""
    obfuscates = False
    thoughts_key: str | None = None
    """Where thoughts are told; OpenAI keeps them to itself."""
    takes_deployments = False

    def form(self, shape: Shape) -> usage.Form:
        """Return how usage is told."""
        return shape.form

    def identify(self, answer: Answer) -> str:
        """Return the id of an answer."""
        return answer.id

    def fingerprint(self, answer: Answer) -> str | None:
        """Return the system fingerprint."""
        return answer.fingerprint

    def tier(self, script: Script) -> str | None:
        """Return the service tier that is charged; None: it is not told."""
        return script.service_tier

    def check(self, visit: Visit) -> None:
        """Refuse what this provider does not take. Raises RefusedError."""

    def opening(self, answer: Answer, script: Script) -> list[Document]:
        """Return the chunks before the first one."""
        _ = answer, script
        return []

    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Add what this provider has in a whole answer."""

    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Add what this provider has in a chunk; `at` counts from 0."""

    def dress_usage(self, told: Document, script: Script) -> None:
        """Add what depends on the script to a usage object."""

    def cost_usd(self, used: Usage, script: Script) -> Decimal | None:
        """Return the amount that is charged, None where the provider states none."""
        _ = used, script
        return None

    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Return the headers of a good answer; `used` of one that is not streamed."""
        _ = script, used
        model = visit.call.entry.model
        return [] if model is None else [(b"openai-model", latin(model))]


class OpenAIManner(Manner):
    """OpenAI with the fields that the others leave out."""

    obfuscates = True

    def tier(self, script: Script) -> str | None:
        """Return the tier that an answer names: never `auto`."""
        return script.service_tier or "default"


def amount_usd(used: Usage) -> Decimal:
    """Return what a sandbox charges for tokens where it states an amount."""
    return used.prompt_tokens * INPUT_USD + used.completion_tokens * OUTPUT_USD
