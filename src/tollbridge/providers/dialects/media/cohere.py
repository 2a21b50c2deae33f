"""How are scores and vectors asked of Cohere, and what do its answers say they cost?

Source: docs.cohere.com, version 2 of rerank and embed. What is billed stands in `billed_units`;
`tokens` beside it is more than that.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import Unstreamed, names_of, object_in, object_of
from tollbridge.providers.dialects.media.texts import (
    read_embedding,
    read_rerank,
    render_embeddings,
    render_rerank,
    scores_of,
)
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    UntranslatableError,
)

WHO = "cohere"
INPUT_TYPE = "search_document"
"""What is embedded, where the caller does not say it in a field of that name."""
UNITS = (
    ("search_units", Unit.SEARCH.value),
    ("input_tokens", Unit.INPUT.value),
    ("image_tokens", Unit.IMAGE_INPUT.value),
)


class CohereWire(Unstreamed):
    """Cohere's wire format for scores and vectors."""

    name = "cohere"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        del endpoint, output_tokens_cap
        if request.dialect == "openai" and request.operation is Operation.RERANK:
            return Outgoing("/v2/rerank", _reranked(request, model))
        if request.dialect == "openai" and request.operation is Operation.EMBEDDING:
            return Outgoing("/v2/embed", _embedded(request, model))
        raise UntranslatableError(f"{WHO} is asked for no {request.operation.value}")

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        del headers
        fields = object_of(body)
        meta = object_in(fields, "meta")
        billed = object_in(meta, "billed_units")
        counts = {
            unit: count for name, unit in UNITS if (count := _whole(billed.get(name))) is not None
        }
        answer = names_of(fields, meta or None)
        if request.operation is Operation.RERANK:
            scores = scores_of(fields.get("results"))
            named = {name: fields[name] for name in ("id", "model", "meta") if name in fields}
            usage = {"search_units": counts["search"]} if "search" in counts else None
            return Given(answer, render_rerank(request, scores, named, usage), counts=counts)
        found = object_in(fields, "embeddings").get("float")
        if not isinstance(found, list):
            raise MalformedAnswerError("the answer has no vectors")
        vectors = cast("list[object]", found)
        rendered = render_embeddings(request, request.model, vectors, counts.get(Unit.INPUT.value))
        return Given(answer, rendered, counts=counts)


def _reranked(request: Request, model: str) -> bytes:
    ask = read_rerank(request)
    body: dict[str, Any] = {"model": model, "query": ask.query, "documents": ask.documents}
    if ask.top_n is not None:
        body["top_n"] = ask.top_n
    if "max_tokens_per_doc" in ask.fields:
        body["max_tokens_per_doc"] = ask.fields["max_tokens_per_doc"]
    return msgspec.json.encode(body)


def _embedded(request: Request, model: str) -> bytes:
    ask = read_embedding(request)
    body: dict[str, Any] = {
        "model": model,
        "texts": ask.texts,
        "input_type": ask.fields.get("input_type") or INPUT_TYPE,
        "embedding_types": ["float"],
    }
    if ask.dimensions is not None:
        body["output_dimension"] = ask.dimensions
    return msgspec.json.encode(body)


def _whole(value: object) -> int | None:
    """Return a count that may have been written with a point: 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= 10**12 else None
