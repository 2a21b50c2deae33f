import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.asked import ask, form
from tollbridge.sandbox import Sandbox
from tollbridge.sandbox.forms import read_form
from tollbridge.sandbox.media import (
    Size,
    film,
    film_ms,
    png,
    png_size,
    size_of,
    sound,
    sound_ms,
)
from tollbridge.sandbox.refusals import RefusedError


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_picture_has_the_size_that_was_asked_for(width: int, height: int) -> None:
    data = png(Size(width, height))
    assert png_size(data) == (width, height)
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    rows = zlib.decompress(data[at + 4 : at + 4 + length])
    assert len(rows) == height * (1 + -(-width // 8))


@given(st.integers(100, 20_000))
def test_a_sound_is_as_long_as_was_asked_for(duration_ms: int) -> None:
    assert abs((sound_ms(sound("wav", duration_ms)) or 0) - duration_ms) <= 1
    assert 0 <= (sound_ms(sound("mp3", duration_ms)) or 0) - duration_ms <= 36


@given(st.integers(1, 600_000))
def test_a_film_says_its_length(duration_ms: int) -> None:
    assert film_ms(film(duration_ms, Size(1280, 720))) == duration_ms


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a sound", b"\xff\xfb"])
def test_what_is_no_sound_has_no_length(data: bytes) -> None:
    assert sound_ms(data) is None


@pytest.mark.parametrize("text", ["", "1024", "0x10", "ax10", "10x-1", "99999x1"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        size_of(text)


def test_a_form_is_read_with_its_files() -> None:
    body, headers = form({"model": "m"}, file=("a.wav", b"\r\n--x\r\n\0"))
    read = read_form(headers["content-type"], body)
    assert read.fields == {"model": "m"}
    assert read.file("file").data == b"\r\n--x\r\n\0"
    assert read.file("file").filename == "a.wav"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nno end"),
        ("multipart/form-data; boundary=x", b"--x\r\nhead only--x--\r\n"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(RefusedError):
        read_form(content_type, body)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("64x32.png", "image/png"), ("500.mp3", "audio/mpeg"), ("4000-1280x720.mp4", "video/mp4")],
)
async def test_the_files_that_answers_name_are_there(name: str, content_type: str) -> None:
    app = Sandbox()
    await ask(app, "/v1/models")
    reply = await ask(app, f"/sandbox/files/ab12/{name}")
    assert (reply.status, reply.headers["content-type"]) == (200, content_type)
    assert int(reply.headers["content-length"]) == len(reply.body) > 0


@pytest.mark.parametrize("path", ["gone/64x32.png", "ab/x.png", "ab/12.exe", "ab/a/b.png", "ab/"])
async def test_other_files_are_not(path: str) -> None:
    app = Sandbox()
    await ask(app, "/v1/models")
    assert (await ask(app, f"/sandbox/files/{path}")).status in {400, 404}
