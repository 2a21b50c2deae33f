"""Whatever a caller of Gemini's format says of media is understood whole, or refused by name."""

import contextlib
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.media import endpoint
from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.gemini import GeminiFace, GeminiWire
from tollbridge.providers.dialects.media.gemini_given import retold
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.dialects.tasks.asked import asked
from tollbridge.providers.dialects.tasks.gemini_asked import fields_of_film
from tollbridge.providers.originals import told_to
from tollbridge.providers.request import Answer, Request
from tollbridge.providers.wire import Given, UntranslatableError

GOOGLE = endpoint("google", dialect="gemini")
NO_NAMES = Answer(usage=None, served_model=None, response_id=None)
VECTORS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=4)
LEAVES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=5)
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "sampleCount",
        "aspectRatio",
        "sample_image_size",
        "negativePrompt",
        "personGeneration",
        "outputOptions",
        "durationSeconds",
        "resolution",
        "generateAudio",
        "seed",
        "other",
    ]
)
PARTS = st.fixed_dictionaries({}, optional={"text": st.text(max_size=5), "inlineData": ANYTHING})


def embeds(texts: list[str]) -> Request:
    body = {"requests": [{"content": {"parts": [{"text": one}]}} for one in texts]}
    path = "/v1beta/models/m:batchEmbedContents"
    return GeminiFace().parse(Operation.EMBEDDING, msgspec.json.encode(body), path)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), VECTORS), min_size=1, max_size=6), st.randoms())
def test_each_text_gets_its_own_vector(pairs: list[tuple[str, list[float]]], chance: Any) -> None:
    request = embeds([text for text, _ in pairs])
    body = msgspec.json.decode(OpenAIWire().compose(request, endpoint(), "m", None).body)
    assert body["input"] == [text for text, _ in pairs]
    data = [{"index": place, "embedding": vector} for place, (_, vector) in enumerate(pairs)]
    chance.shuffle(data)
    given_back = retold(request, Given(NO_NAMES, msgspec.json.encode({"data": data})))
    told = msgspec.json.decode(given_back.body)["embeddings"]
    assert [one["values"] for one in told] == [vector for _, vector in pairs]


@settings(deadline=None)
@given(st.dictionaries(NAMES, ANYTHING))
@example({"sampleCount": 1, "aspectRatio": "1:1"})
def test_a_wish_for_a_picture_is_told_to_others_whole_or_not_at_all(wishes: dict[str, Any]) -> None:
    said = {"instances": [{"prompt": "a boat"}], "parameters": wishes}
    path = "/v1beta/models/m:predict"
    try:
        request = GeminiFace().parse(Operation.IMAGE_GENERATION, msgspec.json.encode(said), path)
    except InvalidRequestError:
        return
    whole = GeminiWire().compose(request, GOOGLE, "imagen-4.0-generate-001", None)
    assert len(msgspec.json.decode(whole.body)["parameters"]) == len(wishes)
    try:
        told = OpenAIWire().compose(told_to(request, "openai"), endpoint(), "gpt-image-1", None)
    except UntranslatableError:
        return
    assert "other" not in wishes or wishes["other"] is None
    assert msgspec.json.decode(told.body)["n"] == (wishes.get("sampleCount") or 4)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=3), st.dictionaries(st.text(max_size=5), ANYTHING))
def test_a_talk_about_pictures_is_understood_or_refused(
    parts: list[Any], config: dict[str, Any]
) -> None:
    said = {"contents": [{"parts": parts}], "generationConfig": config}
    path = "/v1beta/models/m:generateContent"
    face = GeminiFace()
    with contextlib.suppress(InvalidRequestError, UntranslatableError):
        chat = face.parse(Operation.CHAT_COMPLETION, msgspec.json.encode(said), path)
        request = face.as_pictures(chat)
        OpenAIWire().compose(told_to(request, "openai"), endpoint(), "gpt-image-1", None)


@settings(deadline=None)
@given(st.dictionaries(NAMES, ANYTHING), ANYTHING)
def test_a_film_is_understood_or_refused(wishes: dict[str, Any], image: Any) -> None:
    said = {"instances": [{"prompt": "a boat", "image": image}], "parameters": wishes}
    with contextlib.suppress(InvalidRequestError):
        fields = fields_of_film("m", msgspec.json.encode(said))
        asked(Request(Operation.VIDEO_GENERATION, msgspec.json.encode(fields), "m"))
