"""A field that is acted on may be said once only, however it is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.call import Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.dialects.openai import OpenAIFace

PARSE = OpenAIFace().parse
MESSAGES = json.dumps([{"role": "user", "content": 'say "model" and \\ once, été'}])
CHAT = f'"model":"a","messages":{MESSAGES}'

TWICE = {
    "model": f'{{{CHAT},"model":"b"}}',
    "max_tokens": f'{{"max_tokens":100000,{CHAT},"max_tokens":null}}',
    "max_completion_tokens": f'{{"max_completion_tokens":1,"max_completion_tokens":2,{CHAT}}}',
    "stream": f'{{{CHAT} , "stream" : true\n,"stream"\t:false}}',
    "stream_options": f'{{{CHAT},"stream_options":{{}},"stream_options":null}}',
    "include_usage": f'{{{CHAT},"stream_options":{{"include_usage":false,"include_usage":true}}}}',
    "n": f'{{{CHAT},"n":1,"n":64}}',
    "messages": f'{{"messages":[],"n":1,{CHAT}}}',
    "user": f'{{{CHAT},"user":"x","user":"y"}}',
}
WRITTEN_OTHERWISE = {
    "escaped letters": (rf'{{{CHAT},"mod\u0065l":"b"}}', "model"),
    "between two lists": (f'{{{CHAT},"n":1,"messages":{MESSAGES},"n":9}}', "messages"),
    "the list's end comes again": (f'{{"n":1,{CHAT},"n":9,"metadata":{MESSAGES}}}', "n"),
    "a short list whose end comes again": ('{"model":"a","messages":[],"n":1,"n":9,"x":[]}', "n"),
    "a value like the name": ('{"user":"messages","model":"a","model":"b","messages":[]}', "model"),
}


def refused(body: str, operation: Operation = Operation.CHAT_COMPLETION) -> str | None:
    """Return the parameter that a body is refused for."""
    try:
        PARSE(operation, body.encode())
    except InvalidRequestError as error:
        return str(error.details["param"]) if error.status == 400 else None
    return None


@pytest.mark.parametrize("name", TWICE)
def test_a_field_that_is_given_twice_is_refused_by_name(name: str) -> None:
    assert refused(TWICE[name]) == name


@pytest.mark.parametrize("how", WRITTEN_OTHERWISE)
def test_no_way_of_writing_hides_the_second(how: str) -> None:
    body, name = WRITTEN_OTHERWISE[how]
    assert refused(body) == name


@pytest.mark.parametrize(
    ("operation", "body", "name"),
    [
        (Operation.COMPLETION, '{"model":"a","prompt":"p","best_of":1,"best_of":9}', "best_of"),
        (Operation.COMPLETION, '{"model":"a","max_tokens":1,"max_tokens":9}', "max_tokens"),
        (Operation.COMPLETION, '{"model":"a","prompt":"p","prompt":["q","r"]}', "prompt"),
        (Operation.EMBEDDING, '{"model":"a","input":"x","model":"b"}', "model"),
        (Operation.EMBEDDING, '{"model":"a","input":["x"],"user":"u","user":"v"}', "user"),
    ],
)
def test_the_other_operations_refuse_theirs(operation: Operation, body: str, name: str) -> None:
    assert refused(body, operation) == name


@pytest.mark.parametrize(
    "body",
    [
        f'{{{CHAT},"x":1,"x":2}}',
        f'{{{CHAT},"tools":[{{"model":1,"model":2,"n":{{"n":1,"stream":1}},"stream":2}}]}}',
        f'{{{CHAT},"stop":["model","n"],"metadata":{{"user":"model"}},"user":"model"}}',
        rf'{{{CHAT},"metadata":{{"caf\u00e9":"\u006d"}}}}',
        f'{{{CHAT},"seed":{"9" * 5000},"metadata":{{"model":1}}}}',
    ],
    ids=["unknown fields", "deeper down", "as values", "escapes", "a huge number"],
)
def test_what_is_not_acted_on_may_be_there_as_often_as_it_likes(body: str) -> None:
    assert refused(body) is None


NAMES = ["model", "messages", "n", "stream", "user", "max_tokens", "x", "metadata"]
SMALL: list[Any] = ["messages", "model", 'a"b', "]", "é", 7, None, {"model": 1, "n": {"n": []}}]
INNER = st.sampled_from(SMALL)
LISTS = st.lists(INNER, max_size=3)
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["a", "messages"]),
    "messages": LISTS,
    "n": st.integers(1, 9),
    "stream": st.booleans(),
    "user": st.text(max_size=5),
    "max_tokens": st.none() | st.integers(1, 9),
    "x": INNER,
    "metadata": LISTS,
}
FIELD = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), GIVEN[name]))


@given(st.lists(FIELD, max_size=8), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")]))
def test_exactly_what_says_a_field_twice_is_refused(
    fields: list[tuple[str, Any]], separators: tuple[str, str]
) -> None:
    comma, colon = separators
    every: list[tuple[str, Any]] = [("model", "a"), *fields, ("messages", [])]
    texts = [f"{json.dumps(k)}{colon}{json.dumps(v, separators=separators)}" for k, v in every]
    names = [name for name, _ in every if name not in {"x", "metadata"}]
    found = refused("{" + comma.join(texts) + "}")
    assert (found is not None) == (len(set(names)) < len(names))
    assert found is None or names.count(found) > 1
