"""A limit applies to its subject's calls as far as its selector takes them."""

from datetime import UTC
from typing import Any

import pytest

from tollbridge.core.call import Bucket, Caller, Operation
from tollbridge.core.limits import Limit, LimitKind, Selector
from tollbridge.ledger.applying import Applying, LimitsPart, LimitTable, plan_limit_id

CALLER = Caller("key-1", "ci", "ana", "web")
CHAT, IMAGE = Operation.CHAT_COMPLETION, Operation.IMAGE_GENERATION


def limit(name: str, kind: LimitKind = LimitKind.MONEY, *, hard: bool = True, **of: str) -> Limit:
    buckets = (of.pop("bucket"),) if "bucket" in of else ()
    return Limit(name, kind, name, 10, "day", hard, Selector(buckets, **of))


def table(part: LimitsPart, kept_max: int = 100) -> LimitTable:
    return LimitTable(part, UTC, kept_max)


def names(found: Applying) -> set[str]:
    return {one.name for one, _ in (*found.hard, *found.by_provider)}


def ask(
    limits: LimitTable,
    operation: Operation = CHAT,
    bucket: Bucket = Bucket.OPENAI,
    label: str = "gpt-4o",
    customer: str | None = None,
) -> Applying:
    return limits.applying(CALLER, operation, bucket, label, customer)


@pytest.mark.parametrize(
    ("subject", "binds"),
    [
        ("organisation:default", True),
        ("project:web", True),
        ("user:ana", True),
        ("key:ci", True),
        ("customer:acme", True),
        ("customer:other", False),
        ("project:other", False),
        ("user:ben", False),
    ],
)
def test_every_subject_of_a_call_binds_it_and_no_other(subject: str, *, binds: bool) -> None:
    found = ask(table(LimitsPart({subject: (limit("b"),)})), customer="acme")
    assert names(found) == ({"b"} if binds else set())


@pytest.mark.parametrize(
    ("selector", "text", "image"),
    [
        ({}, True, True),
        ({"bucket": "openai"}, True, False),
        ({"category": "image"}, False, True),
        ({"model": "gpt-4o"}, True, False),
        ({"bucket": "openai", "model": "other"}, False, False),
        ({"provider": "groq"}, True, True),
    ],
)
def test_a_selector_takes_only_the_calls_that_it_names(
    selector: dict[str, Any], *, text: bool, image: bool
) -> None:
    limits = table(LimitsPart({"user:ana": (limit("b", **selector),)}))
    assert bool(names(ask(limits))) is text
    assert bool(names(ask(limits, IMAGE, Bucket.STABILITY, "dall-e-3"))) is image


def test_images_films_and_sounds_are_counted_of_their_category_alone() -> None:
    kinds = (LimitKind.IMAGES, LimitKind.VIDEOS, LimitKind.AUDIO)
    limits = table(LimitsPart({"user:ana": tuple(limit(kind, kind) for kind in kinds)}))
    assert names(ask(limits)) == set()
    assert names(ask(limits, IMAGE, Bucket.STABILITY)) == {"images"}
    assert names(ask(limits, Operation.VIDEO_GENERATION, Bucket.VIDEO)) == {"videos"}
    assert names(ask(limits, Operation.AUDIO_SPEECH, Bucket.AUDIO)) == {"audio"}


def test_a_plan_s_limits_bind_its_users_by_bucket_and_none_is_unlimited() -> None:
    rules = (
        Limit(
            "text_calls", LimitKind.CALLS, "Basic: text_calls", 5, selector=Selector(("openai",))
        ),
        Limit(
            "video_calls", LimitKind.CALLS, "Basic: video_calls", 0, selector=Selector(("video",))
        ),
    )
    limits = table(LimitsPart(plan_of={"ana": (7, 0)}, plans={7: rules}))
    (found,) = [one for one, _ in ask(limits).hard]
    assert (found.limit_id, found.amount) == (plan_limit_id("ana", "text_calls"), 5)
    assert limits.knows("plan:ana:video_calls")
    assert not limits.knows("plan:ana:gemini_calls")
    assert not limits.knows("plan:ben:video_calls")


def test_who_has_no_subscription_is_limited_only_where_a_default_plan_is_named() -> None:
    rules = (Limit("text_calls", LimitKind.CALLS, "Free", 5),)
    assert not ask(table(LimitsPart(plans={7: rules}))).binds
    assert ask(table(LimitsPart(plans={7: rules}, default_plan=7))).binds


def test_another_plan_or_period_begins_anew() -> None:
    rules = {7: (Limit("text_calls", LimitKind.CALLS, "Free", 5),)}
    before = table(LimitsPart(plan_of={"ana": (7, 0)}, plans=rules))
    same = table(LimitsPart(plan_of={"ana": (7, 0)}, plans=rules))
    renewed = table(LimitsPart(plan_of={"ana": (7, 900)}, plans=rules))
    assert same.keeps("plan:ana:text_calls", before)
    assert not renewed.keeps("plan:ana:text_calls", before)


def test_soft_limits_are_named_by_the_period_that_runs_and_refuse_nothing() -> None:
    day_us = 86_400_000_000
    found = ask(table(LimitsPart({"user:ana": (limit("b", hard=False),)})))
    assert not found.binds
    (hold,) = found.soft_holds(day_us + 5)
    assert (hold.lease_id, hold.budget_id, hold.period_start_us) == ("", "b", day_us)
    assert found.soft_holds(2 * day_us - 1)[0].period_start_us == day_us
    assert found.soft_holds(2 * day_us)[0].period_start_us == 2 * day_us


def test_what_is_kept_is_bounded_and_the_same_sort_gets_the_same_answer() -> None:
    limits = table(LimitsPart({"user:ana": (limit("b", model="gpt-4o"),)}), kept_max=4)
    first = ask(limits)
    for number in range(100):
        ask(limits, label=f"model-{number}")
        assert ask(limits) is first


def test_keys_that_the_same_limits_apply_to_share_one_answer_and_others_do_not() -> None:
    limits = table(LimitsPart({"project:web": (limit("b"),), "key:own": (limit("c"),)}))

    def of(key_id: str, key_name: str, project: str) -> Applying:
        caller = Caller(key_id, key_name, "ana", project)
        return limits.applying(caller, CHAT, Bucket.OPENAI, "gpt-4o")

    first = of("key-1", "ci", "web")
    assert of("key-2", "other", "web") is first
    assert names(of("key-3", "own", "web")) == {"b", "c"}
    assert names(of("key-4", "ci", "elsewhere")) == set()
