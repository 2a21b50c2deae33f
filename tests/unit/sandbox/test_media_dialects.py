"""Pictures, voices and ranks of the providers that answer at once, and Runware's lists."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from tests.support.asked import ask, form
from tollbridge.sandbox import Sandbox
from tollbridge.sandbox.media import png_size, sound_ms, wav

ULTRA = "/stability/v2beta/stable-image/generate/ultra"
SPEECH = "/elevenlabs/v1/text-to-speech/rachel"
DOCUMENTS = ["a prime is a number", "a boat", "a prime above ten"]


async def test_stability_sends_bytes_or_json_around_them() -> None:
    body, headers = form({"prompt": "a boat", "aspect_ratio": "16:9"})
    raw = await ask(Sandbox(), ULTRA, body, headers=headers | {"accept": "image/*"})
    assert png_size(raw.body) == (1344, 768)
    assert raw.headers["finish-reason"] == "SUCCESS"
    told = await ask(Sandbox(), ULTRA, body, headers=headers | {"accept": "application/json"})
    assert base64.b64decode(told.json["image"]) == raw.body
    assert str(told.json["seed"]) == raw.headers["seed"]
    assert raw.entry.units == told.entry.units == {"image": 1}


async def test_what_stability_filters_is_a_200_and_billed() -> None:
    body, headers = form({"prompt": "a boat"})
    reply = await ask(Sandbox(), ULTRA, body, headers=headers, script={"filtered": True})
    assert (reply.status, reply.headers["finish-reason"]) == (200, "CONTENT_FILTERED")
    assert reply.entry.units == {"image": 1}


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        ("insufficient_quota", 402, "payment_required"),
        ("content_filter", 403, "content_moderation"),
        ("rate_limited", 429, "rate_limit_exceeded"),
    ],
)
async def test_stability_names_its_errors(kind: str, status: int, name: str) -> None:
    body, headers = form({"prompt": "a boat"})
    reply = await ask(Sandbox(), ULTRA, body, headers=headers, script={"error": kind})
    assert (reply.status, reply.json["name"]) == (status, name)
    assert reply.entry.units == {}


async def test_stability_takes_forms_only() -> None:
    reply = await ask(Sandbox(), ULTRA, {"prompt": "a boat"})
    assert (reply.status, reply.json["name"]) == (400, "bad_request")


async def test_an_upscale_takes_its_time() -> None:
    app = Sandbox()
    body, headers = form({"prompt": "a boat"}, image=("a.png", b"\x89PNG"))
    path = "/stability/v2beta/stable-image/upscale/creative"
    name = (await ask(app, path, body, headers=headers)).json["id"]
    assert (await ask(app, f"/stability/v2beta/results/{name}")).status == 202
    assert png_size((await ask(app, f"/stability/v2beta/results/{name}")).body) == (2048, 2048)


@pytest.mark.parametrize(
    ("model", "cost"), [("eleven_multilingual_v2", 12), ("eleven_flash_v2_5", 6)]
)
async def test_elevenlabs_says_the_credits_in_a_header(model: str, cost: int) -> None:
    body = {"text": "Hello there!", "model_id": model}
    reply = await ask(Sandbox(), f"{SPEECH}?output_format=mp3_44100_128", body)
    assert reply.headers["content-type"] == "audio/mpeg"
    assert 720 <= (sound_ms(reply.body) or 0) <= 756
    assert reply.headers["character-cost"] == str(cost)
    assert reply.entry.units == {"character": 12, "credit": cost}


async def test_elevenlabs_may_say_nothing_of_the_credits() -> None:
    reply = await ask(Sandbox(), SPEECH, {"text": "Hi"}, script={"usage": "missing"})
    assert "character-cost" not in reply.headers
    assert reply.entry.units["credit"] == 2


async def test_out_of_money_is_a_401_of_elevenlabs() -> None:
    script = {"error": "insufficient_quota"}
    reply = await ask(Sandbox(), SPEECH, {"text": "Hi"}, script=script)
    assert (reply.status, reply.json["detail"]["status"]) == (401, "quota_exceeded")


async def test_a_field_that_is_wrong_is_a_list_of_elevenlabs() -> None:
    reply = await ask(Sandbox(), SPEECH, {"text": "Hi"}, script={"status": 422})
    assert reply.json["detail"][0]["loc"] == ["body", "messages"]


async def test_elevenlabs_hears() -> None:
    body, headers = form({"model_id": "scribe_v1"}, file=("a.wav", wav(3000)))
    reply = await ask(Sandbox(), "/elevenlabs/v1/speech-to-text", body, headers=headers)
    assert reply.json["words"][-1]["end"] == pytest.approx(3.0, abs=0.01)
    assert reply.entry.units == {"audio_ms": 3000}


async def test_a_voice_that_does_not_exist_is_refused() -> None:
    path = "/elevenlabs/v1/text-to-speech/unknown-voice"
    reply = await ask(Sandbox(), path, {"text": "Hi"})
    assert reply.json["detail"]["status"] == "voice_not_found"


async def test_speech_that_breaks_off_never_ends() -> None:
    script = {"cut_after_chunks": 2}
    reply = await ask(Sandbox(), SPEECH, {"text": "Hello there!"}, script=script)
    assert reply.body
    assert (reply.whole, reply.entry.outcome) == (False, "cut")


@pytest.mark.parametrize(
    ("path", "bill"),
    [
        ("/cohere/v2/rerank", {"search": 1}),
        ("/jina/v1/rerank", {}),
        ("/v1/rerank", {}),
        ("/together/v1/rerank", {}),
        ("/openrouter/api/v1/rerank", {"search": 1}),
    ],
)
async def test_the_document_that_fits_comes_first(path: str, bill: dict[str, int]) -> None:
    body = {"model": "m", "query": "a prime above ten", "documents": DOCUMENTS, "top_n": 2}
    reply = await ask(Sandbox(), path, body)
    results = reply.json["results"]
    assert [one["index"] for one in results] == [2, 0]
    assert reply.entry.units == bill
    assert (reply.entry.usage is None) is bool(bill)


async def test_cohere_counts_a_search_per_hundred_documents() -> None:
    body = {"model": "m", "query": "q", "documents": ["d"] * 101}
    reply = await ask(Sandbox(), "/cohere/v2/rerank", body)
    assert reply.json["meta"]["billed_units"] == {"search_units": 2}


async def test_jina_counts_the_query_for_each_document() -> None:
    body = {"model": "m", "query": "abcd", "documents": ["abcdefgh"] * 3}
    reply = await ask(Sandbox(), "/jina/v1/rerank", body)
    assert reply.json["usage"]["total_tokens"] == 3 * 1 + 3 * 2
    assert reply.entry.usage is not None
    assert reply.entry.usage.prompt_tokens == 9


async def test_cohere_embeds() -> None:
    body = {"model": "embed-v4.0", "texts": ["abcd", "abcdefgh"], "input_type": "search_query"}
    reply = await ask(Sandbox(), "/cohere/v2/embed", body)
    assert len(reply.json["embeddings"]["float"]) == 2
    assert reply.json["meta"]["billed_units"] == {"input_tokens": 3}


async def test_runware_answers_a_list_and_its_costs() -> None:
    one: dict[str, Any] = {
        "taskType": "imageInference",
        "taskUUID": "u1",
        "model": "runware:100@1",
        "positivePrompt": "a boat",
        "width": 512,
        "height": 768,
        "numberResults": 2,
        "includeCost": True,
    }
    reply = await ask(Sandbox(), "/runware/v1", [one])
    assert [made["cost"] for made in reply.json["data"]] == [0.0006, 0.0006]
    assert reply.json["data"][0]["imageURL"].endswith("/512x768.png")
    assert (reply.entry.units, reply.entry.billed_usd) == ({"image": 2}, Decimal("0.0012"))


async def test_runware_s_films_are_asked_for_again() -> None:
    app = Sandbox()
    one = {"taskType": "videoInference", "taskUUID": "u2", "model": "m", "duration": 5}
    again = {"taskType": "getResponse", "taskUUID": "u2"}
    await ask(app, "/runware/v1", [one])
    assert (await ask(app, "/runware/v1", [again])).json["data"][0]["status"] == "processing"
    done = (await ask(app, "/runware/v1", [again])).json["data"][0]
    assert done["videoURL"].endswith("/5000-1280x720.mp4")
    assert app.tally.units == {"video": 1, "video_ms": 5000}


async def test_the_picture_of_xai_costs_ticks() -> None:
    reply = await ask(Sandbox(), "/xai/v1/images/generations", {"prompt": "a boat"})
    assert reply.json["usage"] == {"cost_in_usd_ticks": 200_000_000}
    assert reply.entry.billed_usd == Decimal("0.02")


async def test_the_hub_sends_a_picture_and_never_its_price() -> None:
    path = "/huggingface/hf-inference/models/black-forest-labs/FLUX.1-schnell"
    reply = await ask(Sandbox(), path, {"inputs": "a boat"})
    assert png_size(reply.body) == (1024, 1024)
    assert reply.entry.units == {"image": 1, "compute_ms": 2500}


async def test_aimlapi_prices_pictures_in_credits() -> None:
    body = {"model": "alibaba/qwen-image", "prompt": "a boat"}
    reply = await ask(Sandbox(), "/aimlapi/v1/images/generations", body)
    assert reply.json["meta"]["usage"] == {"credits_used": 91_000, "usd_spent": 0.0455}
    assert reply.headers["x-aimlapi-usd-spent"] == "0.045500000"


async def test_tallies_are_kept_by_dialect() -> None:
    app = Sandbox()
    await ask(app, "/xai/v1/images/generations", {"prompt": "a boat"})
    await ask(app, "/jina/v1/rerank", {"model": "m", "query": "q", "documents": ["d"]})
    told = (await ask(app, "/sandbox/tally")).json
    assert told["dialects"]["xai"]["units"] == {"image": 1}
    assert told["dialects"]["xai"]["billed_usd"] == "0.02"
    assert told["dialects"]["jina"]["prompt_tokens"] == 2
