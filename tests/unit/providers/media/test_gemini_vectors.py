"""What callers of Gemini's format ask of vectors, told to others and answered."""

from typing import Any

import msgspec
import pytest

from tests.support.gemini_callers import GOOGLE, NO_NAMES, PICTURE, fields, told
from tests.support.media import endpoint
from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.gemini import GeminiFace, GeminiWire
from tollbridge.providers.dialects.media.cohere import CohereWire
from tollbridge.providers.dialects.media.gemini_given import retold
from tollbridge.providers.dialects.media.jina import JinaWire
from tollbridge.providers.originals import told_to
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Given, UntranslatableError

WRONG_VECTORS: list[tuple[dict[str, Any], str]] = [
    ({}, "requests"),
    ({"requests": []}, "requests"),
    ({"requests": [5]}, "requests"),
    ({"requests": [{}]}, "requests[0].content"),
    ({"requests": [{"content": {"parts": []}}]}, "requests[0].content.parts"),
    (
        {"requests": [{"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}]},
        "outputDimensionality",
    ),
    ({"requests": [{"content": {"parts": [{"text": "a"}]}, "taskType": 5}]}, "taskType"),
]


def embeds(method: str = "batchEmbedContents", **fields: Any) -> Request:
    path = f"/v1beta/models/m:{method}"
    return GeminiFace().parse(Operation.EMBEDDING, msgspec.json.encode(fields), path)


def texts(*said: str, **more: Any) -> Request:
    return embeds(requests=[{"content": {"parts": [{"text": one}]}, **more} for one in said])


def test_texts_to_embed_are_an_openai_call_for_vectors() -> None:
    request = texts("a toll", "a bridge", outputDimensionality=256)
    assert (request.operation, request.model, request.dialect) == ("embedding", "m", "openai")
    outgoing = told(request, "text-embedding-3-small")
    assert outgoing.target == "/embeddings"
    assert fields(outgoing) == {
        "model": "text-embedding-3-small",
        "input": ["a toll", "a bridge"],
        "dimensions": 256,
    }


def test_one_text_is_asked_and_answered_alone() -> None:
    request = embeds("embedContent", content={"parts": [{"text": "a toll"}]})
    given = Given(NO_NAMES, b'{"data":[{"embedding":[0.5,1]}],"usage":{"prompt_tokens":3}}')
    assert msgspec.json.decode(retold(request, given).body) == {
        "embedding": {"values": [0.5, 1.0]},
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
    }


def test_vectors_are_given_in_the_order_of_their_texts() -> None:
    body = {"data": [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]}
    given = retold(texts("a", "b"), Given(NO_NAMES, msgspec.json.encode(body)))
    assert msgspec.json.decode(given.body) == {"embeddings": [{"values": [0.0]}, {"values": [1.0]}]}


def test_usage_that_nobody_told_is_not_told_as_zero() -> None:
    given = retold(texts("a"), Given(NO_NAMES, b'{"data":[{"embedding":[1]}]}'))
    assert "usageMetadata" not in msgspec.json.decode(given.body)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"data":[{"embedding":[1]}]}',
        b'{"data":[]}',
        b'{"data":[{"embedding":[1]},{"embedding":["a"]}]}',
        b'{"data":[{"embedding":[1]},{"embedding":"%%%"}]}',
        b"[]",
        b"no",
    ],
)
def test_an_answer_without_a_vector_for_each_text_is_malformed(answer: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        retold(texts("a", "b"), Given(NO_NAMES, answer))


def test_google_gets_the_caller_s_own_words_with_its_own_model() -> None:
    request = texts("a", taskType="RETRIEVAL_QUERY", title="t")
    outgoing = GeminiWire().compose(request, GOOGLE, "gemini-embedding-001", None)
    assert outgoing.target == "/models/gemini-embedding-001:batchEmbedContents"
    assert fields(outgoing) == {
        "requests": [
            {
                "content": {"parts": [{"text": "a"}]},
                "taskType": "RETRIEVAL_QUERY",
                "title": "t",
                "model": "models/gemini-embedding-001",
            }
        ]
    }


def test_google_s_vectors_go_to_the_caller_as_they_came() -> None:
    body = b'{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7}}'
    given = GeminiWire().read(texts("a"), {}, body)
    assert (given.body, given.counts) == (body, {"input": 7})
    silent = GeminiWire().read(texts("a"), {}, b'{"embeddings":[{"values":[1]}]}')
    assert silent.counts == {}
    with pytest.raises(MalformedAnswerError):
        GeminiWire().read(texts("a", "b"), {}, body)


def test_names_with_underscores_mean_the_same() -> None:
    request = embeds(requests=[{"content": {"parts": [{"text": "a"}]}, "output_dimensionality": 8}])
    assert fields(told(request))["dimensions"] == 8


def test_the_purpose_of_vectors_is_told_to_those_who_have_a_word_for_it() -> None:
    request = texts("a", taskType="RETRIEVAL_QUERY")
    cohere = CohereWire().compose(told_to(request, "cohere"), endpoint("cohere"), "embed", None)
    assert fields(cohere)["input_type"] == "search_query"
    jina = JinaWire().compose(told_to(request, "jina"), endpoint("jina"), "v4", None)
    assert fields(jina)["task"] == "retrieval.query"
    with pytest.raises(UntranslatableError, match="taskType=RETRIEVAL_QUERY"):
        told_to(request, "openai")
    with pytest.raises(UntranslatableError):
        told_to(texts("a", taskType="FACT_VERIFICATION"), "cohere")


@pytest.mark.parametrize(
    ("request_said", "what"),
    [
        ({"content": {"parts": [{"text": "a"}]}, "title": "t"}, "title"),
        ({"content": {"parts": [{"text": "a"}, {"text": "b"}]}}, "several parts"),
        ({"content": {"parts": [{"inlineData": {"data": PICTURE}}]}}, "no text"),
        ({"content": {"parts": [{"text": "a"}]}, "autoTruncate": True}, "autoTruncate"),
    ],
)
def test_what_only_google_can_embed_is_named(request_said: dict[str, Any], what: str) -> None:
    request = embeds(requests=[request_said])
    with pytest.raises(UntranslatableError, match=what):
        told_to(request, "cohere")
    assert GeminiWire().compose(request, GOOGLE, "m", None).body


def test_texts_that_are_asked_for_differently_are_google_s_alone() -> None:
    one = {"content": {"parts": [{"text": "a"}]}}
    request = embeds(requests=[one, {**one, "outputDimensionality": 8}])
    with pytest.raises(UntranslatableError, match="outputDimensionality"):
        told_to(request, "openai")


@pytest.mark.parametrize(("said", "parameter"), WRONG_VECTORS)
def test_what_is_wrong_with_a_call_for_vectors_is_named(said: Any, parameter: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        embeds(**said)
    assert caught.value.details["param"] == parameter


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff{}", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    for operation, method in (
        (Operation.EMBEDDING, "embedContent"),
        (Operation.IMAGE_GENERATION, "predict"),
    ):
        with pytest.raises(InvalidRequestError):
            GeminiFace().parse(operation, body, f"/v1beta/models/m:{method}")
