"""What an address asks for, in which format, and where its answer is made."""

import re
from pathlib import Path

import msgspec
import pytest

from tollbridge.api.addresses import (
    ADDRESSES,
    ANTHROPIC,
    GEMINI,
    OPENAI,
    address_of,
    face_of,
    is_film,
)
from tollbridge.api.listings import list_models, show_model
from tollbridge.core.errors import ModelNotFoundError
from tollbridge.routing.part import ModelListing

DOCUMENT = Path(__file__).parents[3] / "docs" / "data-plane.md"
GEMINI_CALLS = {
    ":generateContent": "chat_completion",
    ":streamGenerateContent": "chat_completion",
    ":embedContent": "embedding",
    ":batchEmbedContents": "embedding",
    ":predict": "image_generation",
}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize(("method", "operation"), GEMINI_CALLS.items())
def test_gemini_s_methods_are_calls_at_both_versions(
    version: str, method: str, operation: str
) -> None:
    path = f"/{version}/models/publisher/m{method}"
    address = address_of(path)
    assert address is not None
    assert (address.operation, address.face) == (operation, GEMINI)
    assert face_of(path, spoken=OPENAI) == GEMINI
    assert not is_film(path)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/m",
        "/v1/models/m:tuneModel",
        "/v1/models",
        "/v1/files/f:embedContent",
        "/v1beta/models/m:countTokens",
        "/v1beta/models/m",
        "/v1/other:predict",
    ],
)
def test_what_is_no_call_is_none(path: str) -> None:
    assert address_of(path) is None


@pytest.mark.parametrize(
    ("path", "is_it"),
    [
        ("/v1/videos", True),
        ("/v1/videos/v/content", True),
        ("/v1/videosx", False),
        ("/v1beta/models/m:predictLongRunning", True),
        ("/v1/models/a/b:predictLongRunning", True),
        ("/v1/models/m/operations/o", True),
        ("/v1beta/models/m/operations/o:cancel", True),
        ("/v1beta/files/f:download", True),
        ("/v1/files/f", False),
        ("/v1/files", False),
        ("/v1/models/operations", False),
        ("/v1/models/m:predict", False),
    ],
)
def test_films_are_the_office_s(path: str, *, is_it: bool) -> None:
    assert is_film(path) is is_it


def test_errors_are_told_in_the_format_of_the_address() -> None:
    assert face_of("/v1beta/models/m:predictLongRunning", spoken=OPENAI) == GEMINI
    assert face_of("/v1/models/m:predictLongRunning", spoken=OPENAI) == GEMINI
    assert face_of("/v1/models/m", spoken=ANTHROPIC) == ANTHROPIC
    assert face_of("/v1/messages", spoken=OPENAI) == ANTHROPIC


def test_every_address_is_in_the_documents() -> None:
    told = DOCUMENT.read_text()
    for path in ADDRESSES:
        assert f"{path}`" in told, path
    for method in (*GEMINI_CALLS, ":predictLongRunning", ":countTokens", ":download"):
        assert re.search(rf"{method}`", told), method


def test_a_name_that_does_several_things_is_listed_once_with_all_methods() -> None:
    listings = [
        ModelListing("both", "image", "google"),
        ModelListing("both", "text", "google"),
        ModelListing("sorts", "rerank", "jina"),
    ]
    [one] = msgspec.json.decode(list_models(listings, GEMINI))["models"]
    assert one["name"] == "models/both"
    assert one["supportedGenerationMethods"] == [
        "generateContent",
        "streamGenerateContent",
        "predict",
        "countTokens",
    ]
    assert msgspec.json.decode(show_model(listings, GEMINI, "both")) == one
    with pytest.raises(ModelNotFoundError):
        show_model(listings, GEMINI, "sorts")
