"""What does a request to the Gemini API say?

Its JSON is protobuf's: every field is taken as camelCase and as snake_case, and Google's own SDK
sends both in one body. What is the caller's own (arguments, results, schemas) keeps its names.
"""

from typing import Any, Final, TypeVar, cast

import msgspec

from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]
_T = TypeVar("_T")

_OPAQUE: Final = frozenset(
    {
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
    }
)
_decoder: Final = msgspec.json.Decoder()


class Content(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    parts: list[Document] = []
    role: str = "user"


class GenerationConfig(msgspec.Struct, frozen=True, rename="camel"):
    """How the answer shall be."""

    max_output_tokens: int | None = None
    candidate_count: int | None = None
    response_modalities: list[str] = []
    response_schema: Document | None = None
    response_json_schema: Document | None = None
    thinking_config: Document | None = None


class GenerateRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of generateContent."""

    contents: list[Content]
    system_instruction: Content | None = None
    generation_config: GenerationConfig = GenerationConfig()
    tools: list[Document] = []
    tool_config: Document = {}


class EmbedOne(msgspec.Struct, frozen=True, rename="camel"):
    """One text to embed."""

    content: Content
    model: str = ""
    output_dimensionality: int | None = None


class EmbedMany(msgspec.Struct, frozen=True):
    """The body of batchEmbedContents."""

    requests: list[EmbedOne]


def read(visit: Visit, kind: type[_T]) -> _T:
    """Read a body. Raises RefusedError (400) that names the field."""
    given = visit.decoded(_decoder)
    try:
        return msgspec.convert(camel(given), kind)
    except msgspec.ValidationError as error:
        raise RefusedError("invalid_request", str(error)) from error


def camel(value: Any) -> Any:
    """Return the same JSON with its fields in camelCase."""
    if isinstance(value, list):
        return [camel(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    told: Document = {}
    for name, inner in cast("Document", value).items():
        first, *rest = name.split("_")
        key = first + "".join(word.capitalize() for word in rest)
        told[key] = inner if key in _OPAQUE else camel(inner)
    return told
