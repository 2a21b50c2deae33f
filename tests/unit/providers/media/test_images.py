import base64
from typing import Any

import msgspec
import pytest

from tests.support.media import JSON, asked, asked_by_form, endpoint, png
from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.media.face import parse_media, render_media
from tollbridge.providers.dialects.media.forms import Part, fields_of, read_form, write_form
from tollbridge.providers.dialects.media.gemini import GeminiMedia
from tollbridge.providers.dialects.media.images import read_image
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.dialects.media.openai import OpenAIMedia
from tollbridge.providers.dialects.media.stability import StabilityWire
from tollbridge.providers.dialects.media.xai import XaiWire
from tollbridge.providers.request import Answer
from tollbridge.providers.wire import Given, Output, UntranslatableError

GENERATION = Operation.IMAGE_GENERATION
EDIT = Operation.IMAGE_EDIT
NO_NAMES = Answer(usage=None, served_model=None, response_id=None)
PICTURE = Part("image", png(), "a.png", "image/png")


def picture(**fields: Any) -> Any:
    return asked(GENERATION, prompt="a paper boat", **fields)


def test_what_is_asked_is_what_may_be_billed_and_what_the_price_depends_on() -> None:
    request = picture(model="dall-e-3", n=3, size="1024x1792", quality="HD", user="u7")
    assert request.demand == Demand({"image": 3}, {"size": "1024x1792", "quality": "hd"})
    assert (request.model, request.customer, request.stream) == ("dall-e-3", "u7", False)


def test_auto_is_no_fact() -> None:
    assert picture(size="auto", quality="auto").demand == Demand({"image": 1})


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "p" * 32_001}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "1024x99999"}, "size"),
        ({"size": "1024"}, "size"),
        ({"quality": "very good"}, "quality"),
        ({"response_format": "png"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"partial_images": 2}, "partial_images"),
        ({"partial_images": 4, "stream": True}, "partial_images"),
        ({"model": 4}, "model"),
        ({"image": "ftp://h/a.png"}, "image"),
        ({"image": "file:///etc/passwd"}, "image"),
        ({"image": "data:image/png;base64,!!"}, "image"),
        ({"image": "data:image/png,abc"}, "image"),
        ({"image": "data:image/png;base64,aGVsbG8="}, "image"),
        ({"images": [{"url": 5}]}, "images"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], parameter: str) -> None:
    body = msgspec.json.encode({"prompt": "a paper boat", **fields})
    with pytest.raises(InvalidRequestError) as caught:
        parse_media(GENERATION, body, JSON)
    assert caught.value.details["param"] == parameter
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"prompt":"a","n":1,"n":9}',
        b'{"prompt":"a","size":"16x16","size":"1024x1024"}',
        b'{"prompt":"a\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_none_or_says_a_thing_twice_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_media(GENERATION, body, JSON)


def test_an_edit_brings_pictures_in_a_form() -> None:
    fields = {"prompt": "p", "n": "2", "size": "1024x1024", "model": "gpt-image-1"}
    mask = Part("mask", png(4, 4), "m.png", "image/png")
    request = asked_by_form(EDIT, fields, [PICTURE, Part("image[]", png(8, 8), "b.png"), mask])
    assert request.demand == Demand({"image": 2}, {"size": "1024x1024"})
    assert request.attachments == 3
    ask = read_image(request)
    assert [one.kind for one in ask.pictures] == ["png", "png"]
    assert ask.mask is not None


def test_an_edit_brings_pictures_in_json_too_as_data_or_by_address() -> None:
    data = "data:image/png;base64," + base64.b64encode(png()).decode()
    request = asked(
        EDIT, prompt="p", images=[{"image_url": data}, {"image_url": "https://h/a.png"}]
    )
    assert request.addresses == ("https://h/a.png",)
    assert [one.data for one in read_image(request).pictures] == [png(), b""]


@pytest.mark.parametrize(
    "files",
    [
        [],
        [Part("image", b"%PDF-1.7", "a.png", "image/png")],
        [Part("image", png() + bytes(200), "a.png")],
        [PICTURE, PICTURE, PICTURE],
    ],
)
def test_an_edit_without_a_picture_or_with_what_is_none_is_refused(files: list[Part]) -> None:
    limits = MediaLimits(image_bytes_max=200, images_given_max=2)
    body, content_type = write_form([Part("prompt", b"p"), *files])
    with pytest.raises(InvalidRequestError) as caught:
        parse_media(EDIT, body, content_type, limits)
    assert caught.value.details["param"] == "image"


def test_the_callers_own_bytes_go_on_where_the_model_is_the_same() -> None:
    request = picture(model="dall-e-3")
    outgoing = OpenAIMedia().compose(request, endpoint(), "dall-e-3")
    assert outgoing.body is request.body


def test_only_the_model_changes_in_a_form() -> None:
    request = asked_by_form(EDIT, {"model": "a", "prompt": "p"}, [PICTURE])
    outgoing = OpenAIMedia().compose(request, endpoint(), "gpt-image-1")
    assert outgoing.content_type == request.content_type
    parts = read_form(outgoing.body, outgoing.content_type, 8)
    assert fields_of(parts) == {"model": "gpt-image-1", "prompt": "p"}
    assert parts[-1].data == png()
    assert outgoing.body == request.body.replace(b"\r\n\r\na\r\n", b"\r\n\r\ngpt-image-1\r\n")


def test_a_call_without_a_model_gets_the_candidates() -> None:
    outgoing = OpenAIMedia().compose(picture(), endpoint(), "m")
    assert msgspec.json.decode(outgoing.body) == {"prompt": "a paper boat", "model": "m"}


def test_a_size_becomes_sides_where_the_endpoint_wants_them() -> None:
    request = picture(size="1024x768", response_format="b64_json", user="u", seed=7)
    outgoing = OpenAIMedia().compose(request, endpoint("together", "images_by_sides"), "m")
    assert msgspec.json.decode(outgoing.body) == {
        "prompt": "a paper boat",
        "model": "m",
        "width": 1024,
        "height": 768,
        "response_format": "base64",
        "seed": 7,
    }


def test_stability_gets_a_form_with_a_ratio_for_a_size() -> None:
    request = picture(size="1792x1024", negative_prompt="rain", quality="auto", user="u")
    outgoing = StabilityWire().compose(request, endpoint("stability"), "stable-image-core", None)
    fields = fields_of(read_form(outgoing.body, outgoing.content_type, 8))
    assert fields == {
        "prompt": "a paper boat",
        "aspect_ratio": "16:9",
        "negative_prompt": "rain",
    }
    assert outgoing.headers == ((b"accept", b"image/*"),)


def test_an_edit_at_stability_brings_its_picture_and_mask() -> None:
    mask = Part("mask", png(4, 4), "m.png")
    request = asked_by_form(EDIT, {"prompt": "p"}, [PICTURE, mask])
    outgoing = StabilityWire().compose(request, endpoint("stability"), "edit/inpaint", None)
    parts = read_form(outgoing.body, outgoing.content_type, 8)
    assert [(part.name, part.content_type) for part in parts[1:]] == [
        ("image", "image/png"),
        ("mask", "image/png"),
    ]


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({"n": 2}, "stable-image-core"),
        ({"quality": "hd"}, "stable-image-core"),
        ({"style": "natural"}, "stable-image-core"),
        ({"background": "transparent"}, "stable-image-core"),
        ({"size": "1000x100"}, "stable-image-core"),
        ({"stream": True}, "stable-image-core"),
        ({"something_new": 1}, "stable-image-core"),
        ({}, "edit/inpaint"),
    ],
)
def test_a_provider_without_a_word_for_what_is_asked_is_skipped(
    fields: dict[str, Any], model: str
) -> None:
    with pytest.raises(UntranslatableError):
        StabilityWire().compose(picture(**fields), endpoint("stability"), model, None)


def test_xai_gets_a_ratio_and_one_picture_as_json() -> None:
    request = asked_by_form(EDIT, {"prompt": "p", "size": "1024x1024"}, [PICTURE])
    outgoing = XaiWire().compose(request, endpoint("xai"), "grok-imagine-image", None)
    body = msgspec.json.decode(outgoing.body)
    assert body["aspect_ratio"] == "1:1"
    assert body["image"]["url"].startswith("data:image/png;base64,iVBOR")
    two = asked_by_form(EDIT, {"prompt": "p"}, [PICTURE, Part("image[]", png(), "b.png")])
    with pytest.raises(UntranslatableError):
        XaiWire().compose(two, endpoint("xai"), "grok-imagine-image", None)


def test_gemini_gets_pictures_as_parts_and_imagen_a_count() -> None:
    request = asked_by_form(EDIT, {"prompt": "p", "resolution": "2k"}, [PICTURE])
    outgoing = GeminiMedia().compose(request, endpoint("google"), "gemini-3-pro-image")
    body = msgspec.json.decode(outgoing.body)
    assert body["contents"][0]["parts"][1]["inlineData"]["mimeType"] == "image/png"
    assert body["generationConfig"]["imageConfig"] == {"imageSize": "2K"}
    assert request.demand.facts == {"resolution": "2K"}
    several = GeminiMedia().compose(
        picture(n=3, size="1024x1024"), endpoint("google"), "imagen-4.0-generate-001"
    )
    assert msgspec.json.decode(several.body)["parameters"] == {
        "sampleCount": 3,
        "aspectRatio": "1:1",
    }
    with pytest.raises(UntranslatableError):
        GeminiMedia().compose(picture(n=5), endpoint("google"), "imagen-4.0-generate-001")


def given_of(*outputs: Output, **more: Any) -> Given:
    return Given(NO_NAMES, outputs=outputs, **more)


def test_pictures_are_given_in_base64_or_by_link() -> None:
    given = given_of(
        Output(data=png(), content_type="image/png", text="A boat"),
        Output(url="https://h/b.png"),
        counts={"input": 5, "output": 10},
        facts={"size": "2x2"},
    )
    body, kind = render_media(picture(), given, 17)
    assert kind == JSON
    encoded = base64.b64encode(png()).decode()
    assert msgspec.json.decode(body) == {
        "created": 17,
        "data": [{"b64_json": encoded, "revised_prompt": "A boat"}, {"url": "https://h/b.png"}],
        "size": "2x2",
        "usage": {"input_tokens": 5, "output_tokens": 10, "total_tokens": 15},
    }


def test_where_a_link_was_asked_for_the_link_holds_the_picture() -> None:
    body, _ = render_media(
        picture(response_format="url"), given_of(Output(data=png(), content_type="image/png")), 1
    )
    (one,) = msgspec.json.decode(body)["data"]
    assert one["url"] == "data:image/png;base64," + base64.b64encode(png()).decode()
