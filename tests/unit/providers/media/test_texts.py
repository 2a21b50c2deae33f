from typing import Any

import msgspec
import pytest

from tests.support.media import JSON, asked, endpoint
from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.media.cohere import CohereWire
from tollbridge.providers.dialects.media.face import parse_media
from tollbridge.providers.dialects.media.jina import JinaWire
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.dialects.registry import FACES
from tollbridge.providers.request import Request
from tollbridge.providers.wire import UntranslatableError


def scores(**fields: Any) -> Request:
    return asked(
        Operation.RERANK, **{"query": "boats", "documents": ["paper boat", "car"], **fields}
    )


def vectors(**fields: Any) -> Request:
    body = msgspec.json.encode({"model": "m", "input": ["a"], **fields})
    return FACES["openai"].parse(Operation.EMBEDDING, body, "/v1/embeddings", JSON)


def test_scores_may_bill_the_query_with_each_document_or_a_search_for_each_hundred() -> None:
    # 3 tokens of query at most, 5 and 2 of documents
    assert scores().demand.counts == {"input": 3 * 2 + 7, "search": 1}
    many = scores(documents=["d"] * 101)
    assert many.demand.counts["search"] == 2
    long = scores(documents=["d" * 100_000])
    assert long.demand.counts["search"] == 2


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"query": ""}, "query"),
        ({"query": None}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "one"}, "documents"),
        ({"documents": [5]}, "documents"),
        ({"documents": [{"title": "x"}]}, "documents"),
        ({"documents": ["a", "b", "c"]}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"return_documents": 1}, "return_documents"),
    ],
)
def test_what_is_wrong_with_a_call_for_scores_is_named(
    fields: dict[str, Any], parameter: str
) -> None:
    body = msgspec.json.encode({"query": "boats", "documents": ["a"], **fields})
    with pytest.raises(InvalidRequestError) as caught:
        parse_media(Operation.RERANK, body, JSON, MediaLimits(documents_max=2))
    assert caught.value.details["param"] == parameter


def test_cohere_gets_texts_and_what_they_are_for() -> None:
    outgoing = CohereWire().compose(
        scores(documents=["a", {"text": "b"}], top_n=1), endpoint("cohere"), "rerank-v3.5", None
    )
    assert msgspec.json.decode(outgoing.body) == {
        "model": "rerank-v3.5",
        "query": "boats",
        "documents": ["a", "b"],
        "top_n": 1,
    }
    outgoing = CohereWire().compose(vectors(dimensions=256), endpoint("cohere"), "embed-v4.0", None)
    assert msgspec.json.decode(outgoing.body) == {
        "model": "embed-v4.0",
        "texts": ["a"],
        "input_type": "search_document",
        "embedding_types": ["float"],
        "output_dimension": 256,
    }


def test_tokens_are_embedded_only_where_the_tokens_are_known() -> None:
    for wire in (CohereWire(), JinaWire()):
        with pytest.raises(UntranslatableError):
            wire.compose(vectors(input=[[1, 2]]), endpoint("p"), "m", None)


def test_chat_is_not_asked_of_who_gives_scores() -> None:
    request = Request(Operation.CHAT_COMPLETION, b"{}", "m")
    for wire in (CohereWire(), JinaWire()):
        with pytest.raises(UntranslatableError):
            wire.compose(request, endpoint("p"), "m", None)


def test_voyages_scores_become_those_of_the_others() -> None:
    body = b'{"object":"list","data":[{"index":1,"relevance_score":0.9}],"model":"rerank-2.5",'
    given = OpenAIMedia().read(scores(), {}, body + b'"usage":{"total_tokens":26}}')
    assert msgspec.json.decode(given.body) == {
        "object": "list",
        "model": "rerank-2.5",
        "results": [{"index": 1, "relevance_score": 0.9}],
        "usage": {"total_tokens": 26},
    }
    assert given.answer.usage == {"total_tokens": 26}
