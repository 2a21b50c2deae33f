import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.sandbox.answer import Answer, digest, embed, embedding_value, say
from tollbridge.sandbox.dialects.chunks import Frames, StreamForm, body
from tollbridge.sandbox.dialects.manner import CHAT, TEXT, Shape
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Message, Part, Prompt, joined, of_messages, of_text
from tollbridge.sandbox.script import NO_FAULTS, Script
from tollbridge.sandbox.usage import text_tokens

SEED = digest("sandbox-small", ["hello"])


def answer(script: Script, choices: int, tokens_max: int | None) -> Answer:
    said = [say(SEED, index, script, tokens_max) for index in range(choices)]
    return Answer("id", 1, "sandbox-small", "fp_1", said, Prompt(["hello"], 9))


def test_the_same_request_is_answered_with_the_same_text() -> None:
    again = digest("sandbox-small", ["hello"])
    assert say(again, 0, NO_FAULTS, None).text == say(SEED, 0, NO_FAULTS, None).text


def test_another_request_is_answered_with_another_text() -> None:
    other = digest("sandbox-small", ["hallo"])
    assert say(other, 0, NO_FAULTS, None).text != say(SEED, 0, NO_FAULTS, None).text


def test_two_inputs_are_not_the_same_as_their_concatenation() -> None:
    assert digest("m", ["a", "b"]) != digest("m", ["ab"])


def test_choices_of_one_request_differ() -> None:
    assert say(SEED, 0, NO_FAULTS, None).text != say(SEED, 1, NO_FAULTS, None).text


def test_a_token_limit_shortens_the_text_and_is_the_finish_reason() -> None:
    choice = say(SEED, 0, NO_FAULTS, 3)
    assert (choice.tokens, choice.finish_reason) == (3, "length")
    assert len(choice.text.split()) == 3


def test_a_text_within_the_limit_ends_by_itself() -> None:
    assert say(SEED, 0, NO_FAULTS, 1000).finish_reason == "stop"


def test_texts_hold_characters_of_several_bytes() -> None:
    assert not all(say(bytes([n] * 32), 0, NO_FAULTS, None).text.isascii() for n in range(200))


@given(st.integers(0, 40), st.integers(2, 300), st.none() | st.integers(1, 500))
def test_the_words_of_the_chunks_are_the_words_of_the_text(
    chunks: int, chunk_bytes: int, tokens_max: int | None
) -> None:
    choice = say(SEED, 0, Script(chunks=chunks, chunk_bytes=chunk_bytes), tokens_max)
    assert choice.tokens == len(choice.text.split())
    assert tokens_max is None or choice.tokens <= tokens_max


def test_chunk_bytes_is_the_size_of_each_chunk() -> None:
    choice = say(SEED, 0, Script(chunks=3, chunk_bytes=100), None)
    assert [len(piece.encode()) for piece in choice.pieces] == [100, 100, 100]


def test_a_huge_answer_is_refused() -> None:
    with pytest.raises(RefusedError):
        say(SEED, 0, Script(chunks=1000, chunk_bytes=1 << 20), None)


@given(
    st.integers(1, 4),
    st.none() | st.integers(1, 50),
    st.none() | st.integers(0, 30),
    st.sampled_from([CHAT, TEXT]),
)
def test_streamed_and_unstreamed_say_the_same_and_report_the_same_usage(
    choices: int, tokens_max: int | None, chunks: int | None, shape: Shape
) -> None:
    script = Script(chunks=chunks)
    made = answer(script, choices, tokens_max)
    document, told = body(made, shape, script)
    form = StreamForm(include_usage=True, include_obfuscation=True)
    texts = dict.fromkeys(range(choices), "")
    reasons: dict[int, str] = {}
    usage = None
    for frame in Frames(made, shape, script, form):
        chunk = json.loads(frame.payload)
        usage = chunk["usage"]
        for choice in chunk["choices"]:
            text = choice["delta"].get("content", "") if shape.is_chat else choice["text"]
            texts[choice["index"]] += text
            if choice["finish_reason"]:
                reasons[choice["index"]] = choice["finish_reason"]
    assert usage == told == document["usage"]
    for choice in document["choices"]:
        said = choice["message"]["content"] if shape.is_chat else choice["text"]
        assert texts[choice["index"]] == said
        assert reasons[choice["index"]] == choice["finish_reason"]


def test_a_vector_has_unit_length_and_depends_on_the_text() -> None:
    vector = embedding_value(embed("a", "m", 32), "float")
    assert isinstance(vector, list)
    assert sum(number * number for number in vector) == pytest.approx(1.0, abs=1e-5)
    assert vector != embedding_value(embed("b", "m", 32), "float")


def test_floats_are_the_very_numbers_of_the_base64_form() -> None:
    packed = embed("a", "m", 8)
    assert embedding_value(packed, None) == list(struct.unpack("<8f", packed))


def test_prompt_tokens_are_four_bytes_begun() -> None:
    assert [text_tokens(text) for text in ("", "a", "abcd", "abcde", "東東")] == [0, 1, 1, 2, 2]


def test_a_conversation_counts_its_frame_its_texts_and_its_parts() -> None:
    prompt = of_messages(
        [
            Message("system", "abcd"),
            Message("user", [Part("text", "abcdefgh"), Part("image_url"), Part("input_audio")]),
            Message("assistant"),
        ],
        b"[]",  # pyright: ignore[reportArgumentType]  # any bytes are a Raw
    )
    assert prompt.tokens == 3 + 3 * 4 + 1 + 2 + 85 + 50 + 1
    assert prompt.audio_tokens == 50
    assert prompt.last_text == "abcdefgh"


def test_token_numbers_count_one_each() -> None:
    assert [one.tokens for one in of_text([1, 2, 3])] == [3]
    assert [one.tokens for one in of_text([[1, 2], [3]])] == [2, 1]


def test_no_input_at_all_is_refused() -> None:
    with pytest.raises(RefusedError):
        joined(of_text([]))
