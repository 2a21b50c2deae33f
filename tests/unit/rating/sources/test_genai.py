from datetime import date, time, timedelta, timezone
from decimal import Decimal
from functools import cache

import pytest
from genai_prices import types as genai
from genai_prices.data import providers as bundled
from genai_prices.data_units import unit_data

from tollbridge.core.clock import to_text
from tollbridge.providers.names import load_names
from tollbridge.rating.conditions import INPUT_ABOVE
from tollbridge.rating.prices import DeclaredPrice, checked
from tollbridge.rating.sources.clauses import matchers_of
from tollbridge.rating.sources.genai import read_genai
from tollbridge.rating.sources.reading import Reading
from tollbridge.rating.unit_names import GENAI_NAMES, why_skipped

RESOLVE = load_names().resolve
Prices = genai.ModelPrice | list[genai.ConditionalPrice]


def usd(**rates: str) -> genai.ModelPrice:
    return genai.ModelPrice(**{key: Decimal(rate) for key, rate in rates.items()})


def model_of(
    prices: Prices,
    variants: list[genai.PriceVariant] | None = None,
    identifier: str = "m",
    match: genai.MatchLogic | None = None,
) -> genai.ModelInfo:
    return genai.ModelInfo(
        id=identifier,
        match=match or genai.ClauseEquals(equals=identifier),
        prices=prices,
        price_variants=variants,
    )


def read(*models: genai.ModelInfo, provider: str = "openai") -> Reading:
    listed = genai.Provider(
        id=provider,
        name="P",
        api_pattern="",
        pricing_urls=["https://example.test/prices"],
        models=list(models),
    )
    return read_genai(RESOLVE, [listed])


def said(reading: Reading, unit: str = "input") -> list[tuple[str, dict[str, str], str, str]]:
    """Return rate, conditions, from and until of all prices of a unit, in days."""
    return [
        (f"{price.rate_usd:f}", price.conditions, day(price.valid_from_us), day(price.valid_to_us))
        for price in reading.prices
        if price.unit == unit
    ]


def day(at_us: int | None) -> str:
    return "always" if not at_us else to_text(at_us)[:10]


def starting(text: str, prices: genai.ModelPrice) -> genai.ConditionalPrice:
    constraint = genai.StartDateConstraint(start_date=date.fromisoformat(text))
    return genai.ConditionalPrice(constraint, prices=prices)


def in_hours(start: time, end: time, prices: genai.ModelPrice) -> genai.ConditionalPrice:
    return genai.ConditionalPrice(genai.TimeOfDateConstraint(start, end), prices=prices)


def test_a_plain_price_has_always_held_and_says_where_it_was_read() -> None:
    (price,) = read(model_of(usd(input_mtok="2.5"))).prices
    assert (price.provider, price.model, price.unit, price.per) == ("openai", "m", "input", 10**6)
    assert (price.rate_usd, price.valid_from_us, price.valid_to_us) == (Decimal("2.5"), 0, None)
    assert price.reference == "https://example.test/prices"
    assert price.source_detail == "genai-prices 0.2.3"
    assert len(price.content_hash or "") == 64


def test_a_dated_price_ends_the_one_before_it_and_units_that_it_leaves_out() -> None:
    """The last price that holds is taken whole: nothing of the one before it is left."""
    reading = read(
        model_of(
            [
                genai.ConditionalPrice(prices=usd(input_mtok="1", cache_read_mtok="0.1")),
                starting("2026-03-01", usd(input_mtok="2")),
                starting("2026-05-01", usd(input_mtok="2", output_mtok="3")),
            ]
        )
    )
    assert said(reading) == [
        ("1", {}, "always", "2026-03-01"),
        ("2", {}, "2026-03-01", "always"),
    ]
    assert said(reading, "cache_read") == [("0.1", {}, "always", "2026-03-01")]
    assert said(reading, "output") == [("3", {}, "2026-05-01", "always")]


def test_hours_of_a_day_become_conditions_in_utc() -> None:
    east = timezone(timedelta(hours=8))
    reading = read(
        model_of(
            [
                genai.ConditionalPrice(prices=usd(input_mtok="2")),
                in_hours(time(0, 30, tzinfo=east), time(8, 30, tzinfo=east), usd(input_mtok="1")),
            ]
        )
    )
    assert said(reading) == [
        ("2", {}, "always", "always"),
        ("1", {"hours": "16:30-00:30"}, "always", "always"),
    ]


def test_a_later_date_ends_the_hours_that_were_listed_before_it() -> None:
    reading = read(
        model_of(
            [
                genai.ConditionalPrice(prices=usd(input_mtok="2")),
                in_hours(time(1), time(4), usd(input_mtok="1")),
                starting("2026-03-01", usd(input_mtok="3")),
            ]
        )
    )
    assert said(reading) == [
        ("2", {}, "always", "2026-03-01"),
        ("3", {}, "2026-03-01", "always"),
        ("1", {"hours": "01:00-04:00"}, "always", "2026-03-01"),
    ]


def test_tiers_begin_beyond_their_number_of_input_tokens() -> None:
    tiered = genai.TieredPrices(
        base=Decimal(1), tiers=[genai.Tier(start=200_000, price=Decimal(2))]
    )
    prices = genai.ModelPrice(input_mtok=tiered)
    assert said(read(model_of(prices))) == [
        ("1", {}, "always", "always"),
        ("2", {INPUT_ABOVE: "200000"}, "always", "always"),
    ]


def test_a_variant_is_a_price_under_the_facts_of_its_context() -> None:
    variant = genai.PriceVariant(when={"service_tier": "flex"}, prices=usd(input_mtok="1"))
    assert said(read(model_of(usd(input_mtok="2"), [variant])))[1] == (
        "1",
        {"service_tier": "flex"},
        "always",
        "always",
    )


def test_of_variants_for_one_context_the_first_that_holds_counts() -> None:
    later, always = (
        genai.PriceVariant(
            when={"processing": "batch"},
            prices=usd(input_mtok=rate),
            constraint=None if start is None else genai.StartDateConstraint(start_date=start),
        )
        for rate, start in (("3", date(2026, 3, 1)), ("1", None))
    )
    assert said(read(model_of(usd(input_mtok="9"), [later, always])))[1:] == [
        ("1", {"processing": "batch"}, "always", "2026-03-01"),
        ("3", {"processing": "batch"}, "2026-03-01", "always"),
    ]


def test_two_variants_that_may_hold_together_are_a_price_of_their_own() -> None:
    tier = genai.PriceVariant(when={"service_tier": "flex"}, prices=usd(input_mtok="1"))
    batch = genai.PriceVariant(when={"processing": "batch"}, prices=usd(input_mtok="3"))
    assert said(read(model_of(usd(input_mtok="2"), [tier, batch])))[-1] == (
        "1",
        {"processing": "batch", "service_tier": "flex"},
        "always",
        "always",
    )


def test_what_an_aggregator_passes_on_is_priced_for_that_upstream_only() -> None:
    reading = read(model_of(usd(input_mtok="1")), provider="huggingface_fireworks-ai")
    (price,) = reading.prices
    assert (price.provider, price.conditions) == ("huggingface", {"upstream": "fireworks"})


def test_a_name_of_another_upstreams_model_is_priced_under_that_model_too() -> None:
    """One name means one model; at an upstream that has none of that id, it means its own."""
    named = genai.ClauseOr(or_=[genai.ClauseEquals("a/r1"), genai.ClauseEquals("a/r1-new")])
    one = genai.Provider(
        id="huggingface_novita",
        name="",
        api_pattern="",
        models=[model_of(usd(input_mtok="1"), identifier="a/R1", match=named)],
    )
    other = genai.Provider(
        id="huggingface_together",
        name="",
        api_pattern="",
        models=[
            model_of(
                usd(input_mtok="2"), identifier="a/R1-new", match=genai.ClauseEquals("a/r1-new")
            )
        ],
    )
    reading = read_genai(RESOLVE, [one, other])
    assert {one.alias: one.model for one in reading.aliases} == {
        "a/r1": "a/R1",
        "a/r1-new": "a/R1-new",
    }
    assert {(one.model, one.conditions["upstream"]): one.rate_usd for one in reading.prices} == {
        ("a/R1", "novita"): Decimal(1),
        ("a/R1-new", "novita"): Decimal(1),
        ("a/R1-new", "together"): Decimal(2),
    }


def test_a_free_model_costs_nothing_and_a_model_without_prices_is_not_priced() -> None:
    reading = read(model_of(usd(), identifier="m:free"), model_of(usd(), identifier="n"))
    assert [(one.model, one.unit, one.rate_usd) for one in reading.prices] == [
        ("m:free", "input", Decimal(0)),
        ("m:free", "output", Decimal(0)),
    ]
    assert [(one.what, one.reason) for one in reading.skipped] == [("n", "no price is stated")]


def test_no_price_of_a_provider_to_fall_back_to_is_carried() -> None:
    """Azure's list names OpenAI's as the one to use instead; ours stays Azure's own."""
    azure = next(one for one in bundled if one.id == "azure")
    assert azure.fallback_model_providers
    mine = {one.id for one in azure.models}
    found = {one.model for one in read_genai(RESOLVE, bundled).prices if one.provider == "azure"}
    assert found
    assert found <= mine


def test_an_unmapped_provider_is_reported_and_skipped() -> None:
    reading = read(model_of(usd(input_mtok="1")), provider="somebody-new")
    assert reading.prices == ()
    assert [(one.provider, one.reason) for one in reading.skipped] == [
        ("somebody-new", "no such provider in providers.toml")
    ]


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        (usd(input_gpixels="1"), "input_gpixels: pixels are counted of what is made"),
        (usd(audio_hours="1", input_audio_hours="2"), "input_audio_hours"),
        (
            [
                genai.ConditionalPrice(prices=usd(input_mtok="2", output_mtok="2")),
                in_hours(time(1), time(4), usd(input_mtok="1")),
            ],
            "hours with other units",
        ),
        (
            [
                genai.ConditionalPrice(prices=usd(input_mtok="2")),
                in_hours(time(1), time(4), usd(input_mtok="1")),
                in_hours(time(22), time(2), usd(input_mtok="3")),
            ],
            "hours that overlap",
        ),
        (
            [
                genai.ConditionalPrice(prices=usd(input_mtok="2")),
                in_hours(time(1, 0, 1), time(4), usd(input_mtok="1")),
            ],
            "hours with seconds",
        ),
    ],
)
def test_what_our_statements_cannot_say_is_skipped_with_a_reason(
    prices: Prices, reason: str
) -> None:
    reading = read(model_of(prices))
    assert reading.prices == ()
    assert reason in reading.skipped[0].reason


def test_nothing_of_the_bundled_list_is_skipped_but_models_without_a_price() -> None:
    assert {one.reason for one in whole().skipped} == {"no price is stated"}
    assert len(whole().skipped) == 18


def test_every_unit_of_genai_prices_is_read_or_it_is_said_why_not() -> None:
    keys = {str(one["price_key"]) for one in unit_data.values()}
    assert [key for key in sorted(keys) if not GENAI_NAMES.get(key) and not why_skipped(key)] == []


def test_whisper_at_groq_is_billed_for_ten_seconds_at_least() -> None:
    found = [one for one in whole().prices if one.provider == "groq" and one.unit == "audio_ms"]
    assert {one.model: one.quantity_min for one in found} == {
        "whisper-large-v3": 10_000,
        "whisper-large-v3-turbo": 10_000,
    }


def test_a_rate_is_rounded_to_the_finest_step_that_is_kept() -> None:
    (price,) = read(model_of(usd(input_mtok="0.18000000000000002"))).prices
    assert price.rate_usd == Decimal("0.18")


def test_every_statement_of_the_bundled_list_can_be_recorded_and_none_twice() -> None:
    prices = [checked(one) for one in whole().prices]
    places = {place(one) for one in prices}
    assert len(places) == len(prices) > 8_000


@pytest.mark.parametrize(
    ("clause", "matchers"),
    [
        (genai.ClauseEquals("m"), ["m"]),
        (genai.ClauseEquals("m-2025-12-11"), ["m-2025-12-11", "m-20251211"]),
        (genai.ClauseStartsWith("m-"), ["m-*"]),
        (genai.ClauseEndsWith("-m"), ["*-m"]),
        (genai.ClauseContains("m"), ["*m*"]),
        (genai.ClauseOr([genai.ClauseEquals("a"), genai.ClauseStartsWith("b")]), ["a", "b*"]),
        (genai.ClauseRegex(r"^m-\d{8}$"), ["m-202*"]),
        (genai.ClauseRegex(r"^m[-@]\d{4}-\d{2}-\d{2}$"), ["m-202*", "m@202*"]),
        (genai.ClauseRegex(r"^(a/)?m-1\.5$"), ["m-1.5", "a/m-1.5"]),
        (genai.ClauseRegex(r"^m\[fast=true\]$"), ["m[fast=true]"]),
        (genai.ClauseRegex(r"^m(?!x)"), []),
        (genai.ClauseRegex(r"m$"), []),
        (genai.ClauseRegex(r"^m.+$"), []),
        (genai.ClauseAnd([genai.ClauseStartsWith("m"), genai.ClauseContains("x")]), []),
    ],
)
def test_a_clause_becomes_matchers_or_nothing(
    clause: genai.MatchLogic, matchers: list[str]
) -> None:
    assert list(matchers_of(clause)) == matchers


def test_every_clause_of_the_bundled_list_is_carried() -> None:
    lost = [
        (provider.id, model.id, clause)
        for provider in bundled
        for model in provider.models
        for clause in parts_of(model.match)
        if not list(matchers_of(clause))
    ]
    assert lost == []


def parts_of(clause: genai.MatchLogic) -> list[genai.MatchLogic]:
    if isinstance(clause, genai.ClauseOr):
        return [part for one in clause.or_ for part in parts_of(one)]
    return [clause]


def place(one: DeclaredPrice) -> tuple[object, ...]:
    return one.provider, one.model, one.unit, str(one.conditions), one.valid_from_us


@cache
def whole() -> Reading:
    return read_genai(RESOLVE)
