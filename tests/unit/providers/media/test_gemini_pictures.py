"""What callers of Gemini's format ask of pictures and speech, told to others and answered."""

from typing import Any

import msgspec
import pytest

from tests.support.gemini_callers import GOOGLE, NO_NAMES, PICTURE, fields, told
from tests.support.media import JSON, endpoint, png
from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.gemini import GeminiFace, GeminiWire
from tollbridge.providers.dialects.media.forms import fields_of, read_form
from tollbridge.providers.dialects.media.gemini_given import render_pictures, retold
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.dialects.media.stability import StabilityWire
from tollbridge.providers.dialects.media.xai import XaiWire
from tollbridge.providers.originals import told_to
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Given, Output, RefusedError, UntranslatableError

GOOGLE_S_ALONE: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"systemInstruction": {"parts": [{"text": "be brief"}]}}, None),
    ({"tools": [{"googleSearch": {}}]}, None),
    ({}, {"temperature": 0.1}),
    ({}, {"imageConfig": {"outputMimeType": "image/png"}}),
    ({"contents": [{"parts": [{"text": "a"}]}, {"role": "model", "parts": []}]}, None),
    ({"contents": [{"parts": [{"text": "a"}, {"fileData": {"fileUri": "x"}}]}]}, None),
    ({"contents": [{"parts": [{"text": "a"}, {"text": "b", "thought": True}]}]}, None),
]


def predicts(prompt: Any = "a boat", **parameters: Any) -> Request:
    body = {"instances": [{"prompt": prompt}], "parameters": parameters}
    path = "/v1beta/models/m:predict"
    return GeminiFace().parse(Operation.IMAGE_GENERATION, msgspec.json.encode(body), path)


def talks(*parts: dict[str, Any], stream: bool = False, config: Any = None, **more: Any) -> Request:
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": list(parts)}], **more}
    if config is not None:
        body["generationConfig"] = config
    method = "streamGenerateContent" if stream else "generateContent"
    face = GeminiFace()
    path = f"/v1beta/models/m:{method}"
    chat = face.parse(Operation.CHAT_COMPLETION, msgspec.json.encode(body), path)
    return face.as_pictures(chat)


# Pictures of Imagen's own method.


def test_a_prediction_is_an_openai_call_for_a_picture() -> None:
    outgoing = told(predicts(sampleCount=1, aspectRatio="16:9", personGeneration="allow_adult"))
    assert outgoing.target == "/images/generations"
    assert fields(outgoing) == {
        "model": "dall-e-3",
        "prompt": "a boat",
        "n": 1,
        "size": "1792x1024",
        "response_format": "b64_json",
    }


def test_imagen_makes_four_where_nobody_says_how_many() -> None:
    request = predicts()
    assert request.demand.counts == {"image": 4}
    with pytest.raises(UntranslatableError, match="one picture per call, not 4"):
        told(request)
    assert fields(told(request, "gpt-image-1"))["n"] == 4


def test_other_providers_get_the_shape_as_such() -> None:
    request = predicts(sampleCount=1, aspectRatio="9:16")
    form = StabilityWire().compose(request, endpoint("stability"), "core", None)
    parts = read_form(form.body, form.content_type, 16)
    assert fields_of(parts)["aspect_ratio"] == "9:16"
    xai = XaiWire().compose(request, endpoint("xai"), "grok-imagine-image", None)
    assert fields(xai)["aspect_ratio"] == "9:16"


def test_wishes_are_kept_or_the_candidate_is_passed_over() -> None:
    assert fields(told(predicts(outputOptions={"mimeType": "image/jpeg"}), "gpt-image-1"))[
        "output_format"
    ] == ("jpeg")
    for wish, model in (
        ({"outputOptions": {"mimeType": "image/jpeg"}}, "dall-e-3"),
        ({"negativePrompt": "cars"}, "gpt-image-1"),
        ({"seed": 5}, "gpt-image-1"),
        ({"sampleImageSize": "2K"}, "gpt-image-1"),
        ({"aspectRatio": "16:9"}, "gpt-image-1"),
        ({"aspectRatio": "4:3"}, "flux"),
    ):
        with pytest.raises(UntranslatableError):
            told(predicts(sampleCount=1, **wish), model)


@pytest.mark.parametrize(
    "wish",
    [
        {"personGeneration": "dont_allow"},
        {"outputOptions": {"compressionQuality": 5}},
        {"enhancePrompt": True},
        {"somethingNew": 1},
    ],
)
def test_what_only_imagen_understands_is_google_s_alone(wish: dict[str, Any]) -> None:
    request = predicts(**wish)
    with pytest.raises(UntranslatableError, match="only Gemini's own format"):
        told_to(request, "xai")
    outgoing = GeminiWire().compose(request, GOOGLE, "imagen-4.0-generate-001", None)
    assert fields(outgoing)["parameters"] == wish
    with pytest.raises(UntranslatableError, match="only Gemini's own format"):
        GeminiWire().compose(request, GOOGLE, "gemini-2.5-flash-image", None)


@pytest.mark.parametrize(
    "quiet",
    [
        {"personGeneration": "ALLOW_ALL"},
        {"includeRaiReason": True},
        {"safetySetting": "block_only_high"},
        {"sampleImageSize": "1K"},
        {"negativePrompt": None},
    ],
)
def test_what_changes_nothing_in_a_picture_keeps_nobody_away(quiet: dict[str, Any]) -> None:
    assert told_to(predicts(sampleCount=1, **quiet), "openai").body == predicts(sampleCount=1).body


def test_a_talking_model_of_google_s_is_asked_in_its_own_method() -> None:
    outgoing = GeminiWire().compose(
        predicts(sampleCount=1, aspectRatio="1:1"), GOOGLE, "gemini-2.5-flash-image", None
    )
    assert outgoing.target.endswith(":generateContent")
    config = fields(outgoing)["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "1:1"}


def test_imagen_s_answer_goes_to_the_caller_as_it_came() -> None:
    body = b'{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"%b"}]}' % (
        PICTURE.encode()
    )
    given = GeminiWire().read(predicts(), {}, body)
    assert (given.body, given.counts, given.outputs) == (body, {"image": 1}, ())


def test_pictures_of_others_are_predictions() -> None:
    body = {"data": [{"b64_json": PICTURE, "revised_prompt": "a small boat"}]}
    request = predicts()
    given = retold(request, Given(NO_NAMES, msgspec.json.encode(body), counts={"image": 1}))
    assert (given.body, given.counts) == (b"", {"image": 1})
    rendered, content_type = render_pictures(request, given)
    assert content_type == JSON
    assert msgspec.json.decode(rendered) == {
        "predictions": [
            {
                "mimeType": "image/png",
                "bytesBase64Encoded": PICTURE,
                "prompt": "a small boat",
            }
        ]
    }
    with pytest.raises(MalformedAnswerError):
        retold(request, Given(NO_NAMES, b'{"data":[]}'))


@pytest.mark.parametrize(
    ("prompt", "parameters", "parameter"),
    [
        ("", {}, "instances[0].prompt"),
        (None, {}, "instances[0].prompt"),
        ("p" * 32_001, {}, "instances[0].prompt"),
        ("a", {"sampleCount": 0}, "sampleCount"),
        ("a", {"sampleCount": "2"}, "sampleCount"),
        ("a", {"sampleCount": 11}, "sampleCount"),
        ("a", {"aspectRatio": 5}, "aspectRatio"),
        ("a", {"sampleImageSize": 5}, "sampleImageSize"),
        ("a", {"outputOptions": 5}, "outputOptions"),
    ],
)
def test_what_is_wrong_with_a_prediction_is_named(
    prompt: Any, parameters: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        predicts(prompt, **parameters)
    assert caught.value.details["param"] == parameter


def test_one_prediction_is_for_one_prompt() -> None:
    body = msgspec.json.encode({"instances": [{"prompt": "a"}, {"prompt": "b"}]})
    with pytest.raises(InvalidRequestError, match="exactly one"):
        GeminiFace().parse(Operation.IMAGE_GENERATION, body, "/v1beta/models/m:predict")


# Pictures as part of a talk.


def test_a_talk_about_a_picture_is_an_openai_call_for_one() -> None:
    request = talks(
        {"text": "a boat"},
        config={"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1"}},
    )
    assert (request.operation, request.demand.counts) == ("image_generation", {"image": 1})
    assert fields(told(request, "gpt-image-1")) == {
        "model": "gpt-image-1",
        "prompt": "a boat",
        "n": 1,
        "size": "1024x1024",
    }


def test_a_talk_with_a_picture_is_an_edit() -> None:
    inline = {"inline_data": {"mime_type": "image/png", "data": PICTURE}}
    request = talks({"text": "make it red"}, inline)
    assert (request.operation, request.attachments) == ("image_edit", 1)
    outgoing = told(request, "gpt-image-1")
    parts = read_form(outgoing.body, outgoing.content_type, 16)
    assert outgoing.target == "/images/edits"
    assert fields_of(parts) == {"model": "gpt-image-1", "prompt": "make it red", "n": "1"}
    assert [part.data for part in parts if part.filename] == [png()]


@pytest.mark.parametrize(("more", "config"), GOOGLE_S_ALONE)
def test_a_talk_that_only_google_follows_is_google_s_alone(
    more: dict[str, Any], config: dict[str, Any] | None
) -> None:
    if "contents" in more and len(more["contents"]) > 1:
        more["contents"].append({"role": "user", "parts": [{"text": "again"}]})
    request = talks({"text": "a boat"}, config=config, **more)
    with pytest.raises(UntranslatableError, match="only Gemini's own format"):
        told_to(request, "openai")
    outgoing = GeminiWire().compose(request, GOOGLE, "gemini-2.5-flash-image", None)
    assert outgoing.target.endswith(":generateContent")


def test_a_picture_is_given_as_a_candidate_and_streamed_as_one_frame() -> None:
    outputs = (Output(data=png(), content_type="image/png"),)
    given = Given(NO_NAMES, outputs=outputs, counts={"input": 9, "output": 100})
    rendered, content_type = render_pictures(talks({"text": "a"}), given)
    answer = {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": PICTURE}}],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 100,
            "totalTokenCount": 109,
        },
        "modelVersion": "m",
    }
    assert content_type == JSON
    assert msgspec.json.decode(rendered) == answer
    streamed, content_type = render_pictures(talks({"text": "a"}, stream=True), given)
    assert content_type.startswith(b"text/event-stream")
    assert streamed == b"data: %b\r\n\r\n" % rendered


def test_google_s_own_talk_goes_to_the_caller_as_it_came() -> None:
    body = msgspec.json.encode(
        {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {"text": "Here"},
                            {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
                        ]
                    },
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2},
        }
    )
    given = GeminiWire().read(talks({"text": "a"}), {}, body)
    assert (given.body, given.counts) == (body, {"image": 1})
    assert given.answer.usage == {"promptTokenCount": 1, "candidatesTokenCount": 2}
    streamed = GeminiWire().read(talks({"text": "a"}, stream=True), {}, body)
    assert streamed.body == b"data: %b\r\n\r\n" % body


def test_settings_say_that_a_picture_is_wanted() -> None:
    face, path = GeminiFace(), "/v1beta/models/m:generateContent"
    for config, wanted in (
        ({"responseModalities": ["TEXT", "IMAGE"]}, "pictures"),
        ({"response_modalities": ["image"]}, "pictures"),
        ({"responseModalities": ["AUDIO"]}, "speech"),
        ({"responseModalities": ["TEXT"]}, ""),
        ({"responseModalities": None}, ""),
        ({}, ""),
    ):
        body = msgspec.json.encode({"contents": [], "generation_config": config})
        assert face.parse(Operation.CHAT_COMPLETION, body, path).variant == wanted


def test_a_picture_over_the_limit_is_refused_before_anybody_is_asked() -> None:
    face = GeminiFace(MediaLimits(image_bytes_max=10))
    part = {"inlineData": {"mimeType": "image/png", "data": PICTURE}}
    body = msgspec.json.encode({"contents": [{"parts": [{"text": "a"}, part]}]})
    chat = face.parse(Operation.CHAT_COMPLETION, body, "/v1beta/models/m:generateContent")
    with pytest.raises(InvalidRequestError, match="over 10 bytes"):
        face.as_pictures(chat)


def test_a_talk_without_words_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no words"):
        talks({"inlineData": {"mimeType": "image/png", "data": PICTURE}})


# Speech.


def test_speech_within_a_talk_is_google_s_alone_and_passes_as_it_is() -> None:
    face, path = GeminiFace(), "/v1beta/models/m:generateContent"
    body = {
        "contents": [{"parts": [{"text": "Good morning"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
    }
    chat = face.parse(Operation.CHAT_COMPLETION, msgspec.json.encode(body), path)
    request = face.as_speech(chat)
    assert (request.operation, request.demand.counts) == ("audio_speech", {"character": 12})
    outgoing = GeminiWire().compose(request, GOOGLE, "gemini-2.5-flash-preview-tts", None)
    assert outgoing.target == "/models/gemini-2.5-flash-preview-tts:generateContent"
    assert fields(outgoing) == body
    with pytest.raises(UntranslatableError, match="speech within a talk"):
        told_to(request, "openai")
    inline = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAA"}}
    answer = msgspec.json.encode(
        {
            "candidates": [{"content": {"parts": [inline]}}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 25},
        }
    )
    given = GeminiWire().read(request, {}, answer)
    assert given.body == answer
    assert given.answer.usage == {"promptTokenCount": 3, "candidatesTokenCount": 25}
    with pytest.raises(RefusedError):
        GeminiWire().read(request, {}, b'{"promptFeedback":{"blockReason":"OTHER"}}')


@pytest.mark.parametrize("contents", [[], [{"parts": [{"text": " "}]}], {"parts": []}])
def test_speech_without_words_is_refused(contents: Any) -> None:
    face, path = GeminiFace(), "/v1beta/models/m:generateContent"
    body = msgspec.json.encode({"contents": contents})
    with pytest.raises(InvalidRequestError, match="no words"):
        face.as_speech(face.parse(Operation.CHAT_COMPLETION, body, path))
