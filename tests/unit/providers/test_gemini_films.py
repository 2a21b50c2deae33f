"""What callers of Gemini's predictLongRunning ask, as everybody is asked."""

import base64
from typing import Any

import msgspec
import pytest

from tests.support.media import endpoint, png
from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.plan import Candidate
from tollbridge.providers.dialects.tasks.asked import asked
from tollbridge.providers.dialects.tasks.gemini_asked import fields_of_film, in_callers_words
from tollbridge.providers.dialects.tasks.openai_videos import OpenAIVideoTasks
from tollbridge.providers.dialects.tasks.veo import VeoTasks
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import TaskFailedError, compose
from tollbridge.providers.wire import TaskWire

PICTURE = base64.b64encode(png()).decode()


def said(instance: Any = None, **parameters: Any) -> bytes:
    one = {"prompt": "a boat"} if instance is None else instance
    return msgspec.json.encode({"instances": [one], "parameters": parameters})


def ordered(instance: Any = None, **parameters: Any) -> Request:
    body = msgspec.json.encode(fields_of_film("m", said(instance, **parameters)))
    return Request(Operation.VIDEO_GENERATION, body, "m")


def sent(wire: TaskWire, request: Request) -> dict[str, Any]:
    candidate = Candidate(endpoint("x", dialect=wire.name), "veo-3.1", "")
    return msgspec.json.decode(compose(wire, request, candidate).body)


def test_a_film_is_asked_as_everybody_is_asked() -> None:
    picture = {"bytesBase64Encoded": PICTURE, "mimeType": "image/png"}
    wanted = asked(
        ordered(
            {"prompt": "a boat", "image": picture},
            sampleCount=2,
            durationSeconds=6,
            aspectRatio="9:16",
            resolution="1080p",
            negativePrompt="rain",
            generateAudio=False,
            seed=7,
            personGeneration="allow_adult",
        )
    )
    assert (wanted.prompt, wanted.count, wanted.duration_s) == ("a boat", 2, 6)
    assert (wanted.aspect_ratio, wanted.resolution) == ("9:16", "1080p")
    assert (wanted.negative_prompt, wanted.audio, wanted.seed) == ("rain", False, 7)
    assert wanted.image == f"data:image/png;base64,{PICTURE}"
    assert (wanted.own_words, wanted.more) == ({}, {})


def test_a_first_frame_is_read_in_the_letters_of_addresses_too() -> None:
    picture = {"inlineData": {"data": "_-_-", "mimeType": "image/jpeg"}}
    assert ordered({"prompt": "a", "image": picture}).body.endswith(b'base64,/+/+"}')


def test_another_provider_gets_the_same_film() -> None:
    body = sent(OpenAIVideoTasks(), ordered(durationSeconds=8, aspectRatio="16:9"))
    assert body == {"model": "veo-3.1", "prompt": "a boat", "seconds": "8", "size": "1280x720"}


def test_what_only_google_understands_reaches_google_and_keeps_others_away() -> None:
    last = {"bytesBase64Encoded": PICTURE, "mimeType": "image/png"}
    request = ordered({"prompt": "a boat", "lastFrame": last}, personGeneration="dont_allow")
    body = sent(VeoTasks(), request)
    assert body["instances"] == [{"prompt": "a boat", "lastFrame": last}]
    assert body["parameters"]["personGeneration"] == "dont_allow"
    with pytest.raises(TaskFailedError, match="lastFrame, personGeneration") as caught:
        sent(OpenAIVideoTasks(), request)
    assert not caught.value.written


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (b'{"instances":[]}', "instances"),
        (b'{"instances":[{},{}]}', "instances"),
        (b'{"instances":[{"prompt":"a"}],"parameters":5}', "parameters"),
        (b'{"instances":[{"prompt":"a","image":{"gcsUri":"gs://x"}}]}', "instances[0].image"),
    ],
)
def test_what_is_wrong_with_a_film_is_named(body: bytes, parameter: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        fields_of_film("m", body)
    assert caught.value.details["param"] == parameter


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"durationSeconds": 400}, "durationSeconds"),
        ({"resolution": "tiny"}, "resolution"),
        ({"sampleCount": 0}, "sampleCount"),
        ({"aspectRatio": "wide"}, "aspectRatio"),
    ],
)
def test_what_is_wrong_is_told_by_the_name_that_the_caller_used(
    parameters: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(ordered(**parameters))
    told = in_callers_words(caught.value)
    assert told.details["param"] == name
    assert told.message.startswith(f"{name}:")
