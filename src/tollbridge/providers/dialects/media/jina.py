"""How are scores and vectors asked of Jina? Source: api.jina.ai, v1."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import (
    Unstreamed,
    names_of,
    object_of,
    objects_in,
    usage_in,
)
from tollbridge.providers.dialects.media.openai import with_model
from tollbridge.providers.dialects.media.texts import (
    read_embedding,
    render_embeddings,
    scores_of,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    UntranslatableError,
)

WHO = "jina"
OWN = ("task", "late_chunking", "truncate", "normalized")


class JinaWire(Unstreamed):
    """Jina's wire format: scores as callers ask for them, vectors nearly so."""

    name = "jina"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as it gets it. Raises UntranslatableError."""
        del endpoint, output_tokens_cap
        if request.dialect == "openai" and request.operation is Operation.RERANK:
            return Outgoing("/rerank", with_model(request, model))
        if request.dialect == "openai" and request.operation is Operation.EMBEDDING:
            ask = read_embedding(request)
            body: dict[str, Any] = {"model": model, "input": ask.texts, "embedding_type": "float"}
            if ask.dimensions is not None:
                body["dimensions"] = ask.dimensions
            body |= {name: ask.fields[name] for name in OWN if name in ask.fields}
            return Outgoing("/embeddings", msgspec.json.encode(body))
        raise UntranslatableError(f"{WHO} is asked for no {request.operation.value}")

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        del headers
        fields = object_of(body)
        usage = usage_in(fields) or {}
        tokens = usage.get("total_tokens")
        counts = {Unit.INPUT.value: tokens} if type(tokens) is int and tokens >= 0 else {}
        answer = names_of(fields, usage or None)
        if request.operation is Operation.RERANK:
            scores_of(fields.get("results"))
            return Given(answer, body, counts=counts)
        found = objects_in(fields, "data")
        vectors = [one.get("embedding") for one in found]
        model = answer.served_model or request.model
        rendered = render_embeddings(request, model, vectors, counts.get(Unit.INPUT.value))
        return Given(answer, rendered, counts=counts)
