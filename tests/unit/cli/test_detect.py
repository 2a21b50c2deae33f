"""What `tollbridge detect` and `tollbridge rules` do and print."""

import json

import pytest

from tests.support.terminal import Terminal

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


@on_sqlite
def test_it_says_who_served_by_which_rule_and_what_speaks_against_it(terminal: Terminal) -> None:
    printed = terminal.done(
        "detect", "tencent/HunyuanVideo", "--bucket", "video", "--endpoint", "/x/wavespeed"
    ).splitlines()
    assert printed[0] == "wavespeed (WaveSpeed): strong"
    assert printed[1] == 'rule path-wavespeed: the path has "wavespeed"'
    assert printed[2].startswith("against it: model-hunyuan")


@on_sqlite
def test_it_names_the_upstream(terminal: Terminal) -> None:
    found = json.loads(
        terminal.done("detect", "openai/gpt-oss-120b:groq", "--bucket", "mistral", "--json")
    )
    assert found["attribution"]["provider"] == "huggingface"
    assert found["attribution"]["upstream_provider"] == "groq"
    assert found["tried"][0]["rule_id"] == "endpoint-answered"


def test_without_a_database_it_answers_by_the_built_in_rules(elsewhere: Terminal) -> None:
    done = elsewhere.run("detect", "--header", "x-groq-region: us")
    assert done.status == 0
    assert done.out.startswith("groq (Groq): observed")
    assert "built-in rules" in done.err
    assert "name: value" in elsewhere.refused("detect", "--header", "x-groq-region")


@on_sqlite
def test_a_rule_of_one_s_own_is_added_ordered_switched_and_removed(terminal: Terminal) -> None:
    for name, provider in (("one", "fal"), ("two", "runware")):
        terminal.done(
            "rules", "add", name, "--rank", "model", "--provider", provider, "--match", "acme"
        )
    assert terminal.done("detect", "acme-1").startswith("fal")
    terminal.done("rules", "reorder", "two", "one")
    assert terminal.done("detect", "acme-1").startswith("runware")
    terminal.done("rules", "disable", "two")
    assert terminal.done("detect", "acme-1").startswith("fal")
    listed = terminal.done("rules", "list", "--own")
    assert [line.split()[0] for line in listed.splitlines()[1:3]] == ["two", "one"]
    assert "own, off" in listed
    terminal.done("rules", "enable", "two")
    terminal.done("rules", "remove", "two")
    rules = json.loads(terminal.done("rules", "list", "--own", "--json"))["rules"]
    assert [one["id"] for one in rules] == ["one"]
    assert "there is no rule" in terminal.refused("rules", "remove", "two")


@on_sqlite
def test_a_category_gets_a_default(terminal: Terminal) -> None:
    terminal.done(
        "rules", "add", "default", "--rank", "bucket", "--bucket", "video", "--provider", "fal"
    )
    assert terminal.done("detect", "kling-v2", "--bucket", "video").startswith("fal (fal): assumed")
    assert terminal.done("detect", "kling-v2", "--bucket", "audio").startswith("unknown")
