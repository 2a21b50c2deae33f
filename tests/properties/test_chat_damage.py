"""However a body is damaged, it is refused as such or read: never a fault of ours."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chat_strategies import PAIRS, choices, provided, requests
from tests.support.chats import ENDPOINT, MINIMAL, asked, translated
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.request import MalformedAnswerError
from tollbridge.providers.wire import UntranslatableError

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**20) | st.text(max_size=5) | st.just("{"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def damage(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Return JSON in which one value, somewhere, is another one."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        fields = cast("dict[str, Any]", value)
        name = draw(st.sampled_from(sorted(fields)))
        return {**fields, name: damage(fields[name], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        items = cast("list[Any]", value)
        place = draw(st.integers(0, len(items) - 1))
        return [*items[:place], damage(items[place], draw), *items[place + 1 :]]
    return draw(JUNK)


@pytest.mark.parametrize(("face", "wire"), PAIRS)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), body=requests())
def test_a_damaged_request_is_refused_or_translated(
    face: str, wire: str, data: st.DataObject, body: dict[str, Any]
) -> None:
    if face != "openai":
        said = translate.compose(asked("openai", body), face, ENDPOINT, "m", None)
        body = msgspec.json.decode(said)
    damaged = damage(body, data.draw)
    try:
        request = asked(face, damaged)
    except InvalidRequestError:
        return
    try:
        sent = translate.compose(request, wire, ENDPOINT, "pm", None)
    except UntranslatableError:
        return
    assert isinstance(msgspec.json.decode(sent), dict)


@pytest.mark.parametrize(("face", "wire"), PAIRS)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), choice=choices())
def test_a_damaged_answer_is_malformed_or_given(
    face: str, wire: str, data: st.DataObject, choice: Any
) -> None:
    whole, stream = provided(wire, choice)
    damaged = msgspec.json.encode(damage(msgspec.json.decode(whole), data.draw))
    try:
        answered = translate.read(asked(face, MINIMAL[face]), wire, damaged)
        assert isinstance(msgspec.json.decode(answered.body), dict)
    except MalformedAnswerError:
        pass
    frames = [data_of(frame) for frame in split_frames(stream)]
    place = data.draw(st.integers(0, len(frames) - 1))
    if frames[place] != b"[DONE]":
        frames[place] = msgspec.json.encode(damage(msgspec.json.decode(frames[place]), data.draw))
    pieces = [b"data: %b\n\n" % frame for frame in frames]
    with suppress(StreamFailedError, ValueError):
        translated(asked(face, MINIMAL[face], stream=True), wire, pieces)


@pytest.mark.parametrize("depth", [200, 100_000])
def test_a_schema_nested_deep_is_no_fault_of_ours(depth: int) -> None:
    schema = b'{"type":"OBJECT","properties":{"a":' * depth + b"{}" + b"}}" * depth
    body = b'{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":%b}]}]}'
    request = msgspec.structs.replace(asked("gemini", MINIMAL["gemini"]), body=body % schema)
    try:
        translate.compose(request, "openai", ENDPOINT, "m", None)
    except UntranslatableError:
        assert depth > 200
