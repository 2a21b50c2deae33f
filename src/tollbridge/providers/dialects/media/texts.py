"""What do calls for scores and for vectors ask, and how is either given to the caller?

Rerank as Cohere and Jina have it, embeddings as OpenAI has them.
"""

import base64
import struct
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.asked import Asked, read_object, refused
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.request import MalformedAnswerError, Request, label_of
from tollbridge.providers.wire import UntranslatableError

RERANK_NAMES = ("model", "query", "top_n", "return_documents", "user")
EMBEDDING_NAMES = ("model", "dimensions", "encoding_format", "user")
TEXT_CHARACTERS_MAX = 2**31
TOP_MAX = 2**20
BYTES_PER_TOKEN_MIN = 2
DOCUMENTS_PER_SEARCH = 100
"""What Cohere bills as one search: a query with so many documents."""
TOKENS_PER_DOCUMENT = 500
"""A longer document counts as several."""
DIMENSIONS_MAX = 2**16


class RerankAsk(msgspec.Struct, frozen=True):
    """What a call for scores asks."""

    model: str
    query: str
    documents: tuple[str, ...]
    top_n: int | None
    return_documents: bool
    fields: dict[str, Any]


class EmbeddingAsk(msgspec.Struct, frozen=True):
    """What a call for vectors asks."""

    texts: tuple[str, ...]
    dimensions: int | None
    as_base64: bool
    fields: dict[str, Any]


def parse_rerank(body: bytes, limits: MediaLimits) -> Request:
    """Check a call for scores. Raises InvalidRequestError that names the field."""
    asked = Asked(read_object(body, "documents", RERANK_NAMES), (), is_form=False)
    ask = _rerank(asked, limits.documents_max)
    query = _tokens(ask.query)
    tokens = [_tokens(document) for document in ask.documents]
    pieces = sum(max(1, -(-(query + one) // TOKENS_PER_DOCUMENT)) for one in tokens)
    counts = {
        # Billed as tokens a query counts once with each document.
        Unit.INPUT.value: query * len(tokens) + sum(tokens),
        Unit.SEARCH.value: -(-pieces // DOCUMENTS_PER_SEARCH),
    }
    return Request(
        Operation.RERANK,
        body,
        ask.model,
        customer=label_of(asked.text("user", 1024)),
        demand=Demand(counts),
    )


def read_rerank(request: Request) -> RerankAsk:
    """Return what a checked call for scores asks."""
    fields = read_object(request.body, "documents", RERANK_NAMES)
    return _rerank(Asked(fields, (), is_form=False), TOP_MAX)


def render_rerank(
    request: Request,
    scores: Sequence[tuple[int, float]],
    named: dict[str, Any],
    usage: dict[str, Any] | None,
) -> bytes:
    """Return scores in the shape of Cohere and Jina; `named` is what stands around them."""
    ask = read_rerank(request)
    results: list[dict[str, Any]] = []
    for index, score in scores:
        if not 0 <= index < len(ask.documents):
            raise MalformedAnswerError("a score is for a document that was not sent")
        one: dict[str, Any] = {"index": index, "relevance_score": score}
        if ask.return_documents:
            one["document"] = {"text": ask.documents[index]}
        results.append(one)
    answer = {"object": "list", **named, "results": results}
    if usage is not None:
        answer["usage"] = usage
    return msgspec.json.encode(answer)


def scores_of(results: object) -> list[tuple[int, float]]:
    """Return (index, score) of each result of an answer. Raises MalformedAnswerError."""
    found: list[tuple[int, float]] = []
    for one in cast("list[Any]", results) if isinstance(results, list) else [None]:
        fields = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
        index, score = fields.get("index"), fields.get("relevance_score")
        if type(index) is not int or isinstance(score, bool) or not isinstance(score, int | float):
            raise MalformedAnswerError("a result without index and score")
        found.append((index, score))
    return found


def read_embedding(request: Request) -> EmbeddingAsk:
    """Return what a call for vectors asks of a provider that reads text.

    Raises UntranslatableError for input that is said in tokens.
    """
    asked = Asked(read_object(request.body, "input", EMBEDDING_NAMES), (), is_form=False)
    said = asked.fields.get("input")
    several = cast("list[Any]", said) if isinstance(said, list) else [said]
    texts = [one for one in several if isinstance(one, str)]
    if len(texts) != len(several):
        raise UntranslatableError("this provider takes text to embed, not tokens")
    if not texts:
        raise refused("input", "is empty")
    return EmbeddingAsk(
        texts=tuple(texts),
        dimensions=asked.whole("dimensions", 1, DIMENSIONS_MAX),
        as_base64=asked.one_of("encoding_format", ("float", "base64")) == "base64",
        fields=dict(asked.fields),
    )


def render_embeddings(
    request: Request, model: str, vectors: Sequence[object], tokens: int | None
) -> bytes:
    """Return vectors in OpenAI's shape. Raises MalformedAnswerError for what are none."""
    ask = read_embedding(request)
    if len(vectors) != len(ask.texts):
        raise MalformedAnswerError(f"{len(vectors)} vectors for {len(ask.texts)} texts")
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(one, packed=ask.as_base64)}
        for index, one in enumerate(vectors)
    ]
    answer: dict[str, Any] = {"object": "list", "model": model, "data": data}
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode(answer)


def _vector(found: object, *, packed: bool) -> object:
    try:
        numbers = msgspec.convert(found, list[float])
        if not packed:
            return numbers
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    except (msgspec.ValidationError, struct.error, OverflowError) as error:
        raise MalformedAnswerError("a vector is no list of numbers") from error


def _rerank(asked: Asked, documents_max: int) -> RerankAsk:
    listed = asked.fields.get("documents")
    if not isinstance(listed, list) or not listed:
        raise refused("documents", "must be a list of at least one text")
    several = cast("list[Any]", listed)
    if len(several) > documents_max:
        raise refused("documents", f"are {len(several)}; at most {documents_max} are taken")
    texts: list[str] = []
    for one in several:
        text = cast("dict[str, Any]", one).get("text") if isinstance(one, dict) else one
        if not isinstance(text, str):
            raise refused("documents", "must be texts, or objects with a text")
        texts.append(text)
    return RerankAsk(
        model=asked.model(),
        query=asked.text("query", TEXT_CHARACTERS_MAX, required=True) or "",
        documents=tuple(texts),
        top_n=asked.whole("top_n", 1, TOP_MAX),
        return_documents=asked.truth("return_documents"),
        fields=dict(asked.fields),
    )


def _tokens(text: str) -> int:
    """Return the most tokens that a text can have."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN_MIN)
