"""What holds of attribution for any evidence whatever."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.attribution.attribute import attribute
from tollbridge.attribution.explain import explain
from tollbridge.attribution.rules import STRENGTH, Rank, builtin
from tollbridge.attribution.ruling import Rules
from tollbridge.core.attribution import Evidence
from tollbridge.core.call import Bucket
from tollbridge.providers.names import load_names

RULES = Rules(builtin(), load_names().resolve)
WORDS = sorted({word for rule in builtin().rules for word in (*rule.words, *rule.without)})
RANK_OF = {rule.id: rule.rank for rule in builtin().rules} | {
    "endpoint-answered": Rank.ANSWERED,
    "endpoint-asked": Rank.ASKED,
    "reported": Rank.REPORTED,
    "none": Rank.NOTHING,
}
piece = st.sampled_from([*WORDS, "pro", "2", "v3", "hf", "x", "é", ""])
name = st.lists(st.tuples(piece, st.sampled_from(["-", "/", "_", ".", " ", "", "3", ":"]))).map(
    lambda parts: "".join(word + end for word, end in parts)
)
# Ordered as the ranks are: a stronger kind of evidence, on top of whatever weaker there is.
fields: dict[str, st.SearchStrategy[Any]] = {
    "bucket": st.none() | st.sampled_from([bucket.value for bucket in Bucket]),
    "model": st.none() | name,
    "served_model": st.none() | name,
    "path": st.none() | name.map(lambda text: f"/{text}"),
    "reported_provider": st.none() | st.sampled_from(["groq", "acme", "unknown", ""]),
    "response_id": st.none() | st.sampled_from(["gen-1700", "msg_bdrk_1", "chatcmpl-1"]),
    "headers": st.sampled_from([{}, {"X-Groq-Region": "us"}, {"server": "cloudflare"}]),
    "host": st.none() | st.sampled_from(["api.openai.com", "example.org", "x.fal.media:443"]),
}
evidence = st.builds(Evidence, **fields)


@settings(max_examples=300, deadline=None)
@given(evidence)
def test_it_decides_as_trying_every_rule_in_turn_does(known: Evidence) -> None:
    """The compiled look-up and the rules one by one agree, on rule and on words."""
    explained = explain(known, RULES)
    first = next((rule for rule in explained.tried if rule.matched), None)
    assert explained.attribution.rule_id == (first.rule_id if first else "none")
    if first is not None:
        assert first.words is not None
        assert explained.attribution.evidence.startswith(first.words)


@settings(max_examples=300, deadline=None)
@given(evidence, st.data())
def test_weaker_evidence_never_overrides_stronger(known: Evidence, data: st.DataObject) -> None:
    """Whatever else becomes known, the decision comes from a rank that is at least as strong."""
    field = data.draw(st.sampled_from(sorted(fields)))
    before = attribute(known, RULES)
    if getattr(known, field):
        return
    more = msgspec.structs.replace(known, **{field: data.draw(fields[field])})
    after = attribute(more, RULES)
    # A model's name can only be read in another way where its bucket was not known before.
    if field != "bucket":
        assert STRENGTH[RANK_OF[after.rule_id]] <= STRENGTH[RANK_OF[before.rule_id]]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["hf", "veo", "sora", "tts", "wan", "sd", "exa", "fal", "gpt", "claude"]))
def test_a_word_within_a_token_is_no_word(word: str) -> None:
    for inside in (f"ai{word}x", f"{word}sync-1", f"my{word}", f"x/{word}y"):
        known = Evidence(bucket="video", model=inside, path=f"/v1/{inside}")
        assert attribute(known, RULES).provider == "unknown"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([bucket.value for bucket in Bucket]), name, name)
def test_vendor_buckets_decide_whatever_names_and_paths_say(
    bucket: str, model: str, path: str
) -> None:
    alone = attribute(Evidence(bucket=bucket), RULES)
    if RANK_OF[alone.rule_id] is Rank.VENDOR_BUCKET:
        # The suffix of a model may still say who ran it.
        found = attribute(Evidence(bucket=bucket, model=model, path=f"/{path}"), RULES)
        assert (found.provider, found.rule_id) == (alone.provider, alone.rule_id)
