"""What a chat attaches is seen, however it is attached and written."""

import json
from typing import Any

import pytest

from tollbridge.core.call import Operation
from tollbridge.providers.dialects.openai import OpenAIFace
from tollbridge.providers.request import Request

IMAGE = {"type": "image_url", "image_url": {"url": "https://h/x.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILES: dict[str, Any] = {
    "bytes": {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:…;base64,JVBERi0="}},
    "id": {"type": "file", "file": {"file_id": "file-abc"}},
}


def chat(*parts: object) -> bytes:
    content = [{"type": "text", "text": 'read "file" image_url'}, *parts]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


def parsed(body: bytes) -> Request:
    return OpenAIFace().parse(Operation.CHAT_COMPLETION, body)


def test_words_alone_attach_nothing() -> None:
    assert (parsed(chat()).attachments, parsed(chat()).has_files) == (0, False)


@pytest.mark.parametrize("part", [IMAGE, SOUND], ids=["image", "sound"])
def test_images_and_sounds_are_counted(part: object) -> None:
    request = parsed(chat(part, part))
    assert request.attachments >= 2
    assert not request.has_files


@pytest.mark.parametrize("how", FILES)
def test_a_file_is_seen(how: str) -> None:
    request = parsed(chat(FILES[how]))
    assert (request.attachments, request.has_files) == (0, True)


@pytest.mark.parametrize("letter", ["i", "e", "f"])
def test_escaped_letters_hide_no_file(letter: str) -> None:
    written = f"\\u{ord(letter):04x}".encode()
    body = chat(FILES["id"]).replace(b'"file"', b'"file"'.replace(letter.encode(), written))
    assert b'"file"' not in body
    assert parsed(body).has_files
