"""Which documents fit a query, to Cohere, Jina, Voyage and those that do as they do?"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from typing_extensions import override

from tollbridge.sandbox import usage, voices
from tollbridge.sandbox.answer import digest, embed, embedding_value
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.chat import Surface
from tollbridge.sandbox.dialects.manner import Document, Manner
from tollbridge.sandbox.frame import Headers, Trouble, Voice
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Usage, text_tokens
from tollbridge.sandbox.visit import Visit
from tollbridge.sandbox.voices import uuid_of

DOCUMENTS_MAX: Final = 1000
DOCUMENTS_PER_SEARCH: Final = 100
TOKENS_PER_PART: Final = 500
SEARCH_USD: Final = Decimal("0.002")


class RerankRequest(msgspec.Struct, frozen=True):
    """The body of a rerank."""

    query: str
    documents: Annotated[
        list[str | dict[str, Any]], msgspec.Meta(min_length=1, max_length=DOCUMENTS_MAX)
    ]
    model: str
    top_n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    return_documents: bool | None = None


class CohereEmbedRequest(msgspec.Struct, frozen=True):
    """The body of Cohere's embed."""

    model: str
    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=96)]
    input_type: str
    embedding_types: list[str] | None = None
    output_dimension: int | None = None


class Ranked(msgspec.Struct, frozen=True):
    """What a rerank found, and what it took."""

    results: list[Document]
    tokens: int
    searches: int


Tell = Callable[[Visit, RerankRequest, Ranked], tuple[Document, Document]]
"""→ the body without its usage, and the object that tells its usage."""

_rerank_decoder: Final = msgspec.json.Decoder(RerankRequest)
_embed_decoder: Final = msgspec.json.Decoder(CohereEmbedRequest)


async def _rerank(visit: Visit, tell: Tell, *, by_search: bool, usage_key: str) -> None:
    request = visit.decoded(_rerank_decoder)
    script = visit.choose(request.model, request.query)
    if not await visit.call.prepare(script):
        return
    ranked = _ranked(request)
    body, honest = tell(visit, request, ranked)
    told = usage.reported(honest, script.usage, usage.PLAIN)
    if script.usage != "missing":
        body[usage_key] = told
    if by_search:
        visit.call.charge(units={"search": ranked.searches})
        await visit.call.send_document(body, None, told)
        return
    await visit.call.send_document(body, Usage(prompt_tokens=ranked.tokens), told)


async def cohere_rerank(visit: Visit) -> None:
    """Answer as Cohere: billed by the search unit."""

    def tell(visit: Visit, _: RerankRequest, ranked: Ranked) -> tuple[Document, Document]:
        meta = {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": ranked.searches},
        }
        name = uuid_of(visit.call.request_id.removeprefix("req_"))
        return {"id": name, "results": ranked.results}, meta

    await _rerank(visit, tell, by_search=True, usage_key="meta")


async def openrouter_rerank(visit: Visit) -> None:
    """Answer as OpenRouter: search units and tokens."""

    def tell(visit: Visit, request: RerankRequest, ranked: Ranked) -> tuple[Document, Document]:
        told = {"search_units": ranked.searches, "total_tokens": ranked.tokens}
        cost = ranked.searches * SEARCH_USD
        visit.call.charge(usd=cost)
        body = {
            "id": f"gen-rerank-{visit.created}-{visit.sequence}",
            "model": request.model,
            "provider": "Cohere",
            "results": _with_documents(request, ranked),
        }
        return body, {**told, "cost": float(cost)}

    await _rerank(visit, tell, by_search=True, usage_key="usage")


async def token_rerank(visit: Visit) -> None:
    """Answer as Jina, vLLM and OpenAI-like servers: billed by the token."""

    def tell(visit: Visit, request: RerankRequest, ranked: Ranked) -> tuple[Document, Document]:
        results = ranked.results
        if request.return_documents is not False:
            results = _with_documents(request, ranked)
        body: Document = {
            "id": f"rerank-{visit.sequence:032x}",
            "object": "list",
            "model": request.model,
            "results": results,
        }
        return body, {"total_tokens": ranked.tokens, "prompt_tokens": ranked.tokens}

    await _rerank(visit, tell, by_search=False, usage_key="usage")


async def together_rerank(visit: Visit) -> None:
    """Answer as Together: its usage has a completion of none."""

    def tell(visit: Visit, request: RerankRequest, ranked: Ranked) -> tuple[Document, Document]:
        body: Document = {
            "id": f"oGs6Zt9-{visit.sequence:06d}-{visit.sequence:016x}",
            "object": "rerank",
            "model": request.model,
            "results": [{**one, "document": {}} for one in ranked.results],
        }
        return body, usage.completion_object(Usage(prompt_tokens=ranked.tokens))

    await _rerank(visit, tell, by_search=False, usage_key="usage")


async def cohere_embed(visit: Visit) -> None:
    """Answer Cohere's embed."""
    request = visit.decoded(_embed_decoder)
    script = visit.choose(request.model, request.texts[-1])
    if not await visit.call.prepare(script):
        return
    size = request.output_dimension or visit.world.embedding_dimensions
    vectors = [embed(text, request.model, size) for text in request.texts]
    tokens = sum(text_tokens(text) for text in request.texts)
    shown: Document = {}
    for kind in request.embedding_types or ["float"]:
        if kind not in {"float", "base64"}:
            raise RefusedError("invalid_request", f"sandbox: no embedding type {kind}")
        shown[kind] = [embedding_value(vector, kind) for vector in vectors]
    honest: Document = {
        "api_version": {"version": "2"},
        "billed_units": {"input_tokens": tokens},
    }
    told = usage.reported(honest, script.usage, usage.PLAIN)
    body: Document = {
        "id": uuid_of(visit.call.request_id.removeprefix("req_")),
        "embeddings": shown,
        "texts": request.texts,
        "response_type": "embeddings_by_type",
    }
    if script.usage != "missing":
        body["meta"] = told
    await visit.call.send_document(body, Usage(prompt_tokens=tokens), told)


class JinaManner(Manner):
    """Embeddings as OpenAI's, without its headers."""

    @override
    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Return none."""
        return []


def cohere_error(trouble: Trouble) -> Any:
    """Return an error as Cohere words it."""
    return {"id": uuid_of(trouble.request_id.removeprefix("req_")), "message": trouble.message}


def jina_error(trouble: Trouble) -> Any:
    """Return an error as Jina words it."""
    return {"detail": trouble.message}


def _ranked(request: RerankRequest) -> Ranked:
    texts = [_text(one) for one in request.documents]
    scored: list[tuple[float, int]] = []
    words = set(request.query.lower().split())
    for index, text in enumerate(texts):
        common = len(words & set(text.lower().split())) / max(1, len(words))
        noise = digest(request.model, [request.query, text])[0] / 2560
        scored.append((round(common * 0.9 + noise, 6), index))
    scored.sort(key=lambda one: (-one[0], one[1]))
    wanted = request.top_n or request.top_k or len(scored)
    results: list[Document] = [
        {"index": index, "relevance_score": score} for score, index in scored[:wanted]
    ]
    query_tokens = text_tokens(request.query)
    counts = [text_tokens(text) for text in texts]
    parts = sum(max(1, -(-(query_tokens + count) // TOKENS_PER_PART)) for count in counts)
    return Ranked(
        results=results,
        tokens=query_tokens * len(texts) + sum(counts),
        searches=-(-parts // DOCUMENTS_PER_SEARCH),
    )


def _with_documents(request: RerankRequest, ranked: Ranked) -> list[Document]:
    return [
        {**one, "document": {"text": _text(request.documents[int(one["index"])])}}
        for one in ranked.results
    ]


def _text(document: str | dict[str, Any]) -> str:
    return document if isinstance(document, str) else str(document.get("text", ""))


COHERE: Final = Dialect(
    name="cohere",
    base="/cohere",
    root="",
    routes=(
        Route("POST", "/v2/rerank", "rerank", cohere_rerank),
        Route("POST", "/v2/embed", "embedding", cohere_embed),
    ),
    voice=Voice(voices.cohere, cohere_error),
    auth=("authorization",),
)
JINA: Final = Dialect(
    name="jina",
    base="/jina",
    root="/v1",
    routes=(
        Route("POST", "/v1/rerank", "rerank", token_rerank),
        Route("POST", "/v1/embeddings", "embedding", Surface(JinaManner()).embeddings),
    ),
    voice=Voice(voices.plain, jina_error, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
