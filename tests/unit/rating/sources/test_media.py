from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from tollbridge.core.clock import to_text
from tollbridge.core.errors import ConfigurationError
from tollbridge.providers.names import load_names
from tollbridge.rating.prices import DeclaredPrice, Source, checked
from tollbridge.rating.record import decide
from tollbridge.rating.sources.media import MediaReading, read_media, seed_with_media

RESOLVE = load_names().resolve
HEAD = "provider,model,category,unit,usd_per_unit,conditions,as_of,source\n"


def read(*rows: str) -> MediaReading:
    return read_media(RESOLVE, HEAD + "\n".join(rows) + "\n")


def the_price(row: str) -> DeclaredPrice:
    (price,) = read(row).reading.prices
    return price


def conditions_of(row: str) -> list[dict[str, str]]:
    return [price.conditions for price in read(row).reading.prices]


def row_of(conditions: str, unit: str = "image", model: str = "m", provider: str = "openai") -> str:
    return f'{provider},{model},image,{unit},0.5,"{conditions}",2026-11,a list [T]'


def test_every_row_of_the_file_is_imported_proposed_or_skipped_with_a_reason() -> None:
    found = read_media(RESOLVE)
    assert [one.line for one in found.outcomes] == list(range(2, 660))
    became = Counter(one.became for one in found.outcomes)
    assert became == {"imported": 617, "proposed": 26, "skipped": 15}
    assert all(one.reason for one in found.outcomes if one.became != "imported")
    assert not [one for one in found.outcomes if "not understood" in one.reason]


def test_what_is_skipped_of_the_file_is_labels_tools_and_what_is_no_model() -> None:
    reasons = Counter(one.reason for one in read_media(RESOLVE).reading.skipped)
    assert reasons == {
        "a label by which routes were chosen, not a tariff": 9,
        "the price of a tool, not of a model": 4,
        "an example, of no model": 1,
        "no model is named": 1,
    }


def test_all_of_the_file_can_be_recorded_as_it_is() -> None:
    """No statement is refused, and no two of them speak of the same time."""
    found = read_media(RESOLVE).reading
    prices = [checked(price) for price in found.prices]
    for proposal in found.proposals:
        checked(proposal)
    decide(prices, [], Source.SEED, 0, recorded_at_us=1, disputes=False)


def test_the_seed_has_the_research_besides_what_the_catalogue_states_itself() -> None:
    seed = seed_with_media(RESOLVE)
    places = Counter(
        (p.provider, p.model, p.unit, str(p.conditions), p.valid_from_us) for p in seed
    )
    assert max(places.values()) == 1
    of_dalle = {
        str(price.conditions): price.rate_usd
        for price in seed
        if (price.provider, price.model) == ("openai", "dall-e-3")
    }
    assert of_dalle["{}"] == Decimal("0.04")
    assert of_dalle["{'quality': 'hd', 'size': '1792x1024'}"] == Decimal("0.12")


PLAIN: dict[str, str] = {}


@pytest.mark.parametrize(
    ("remark", "conditions"),
    [
        ("", [PLAIN]),
        ("quality=hd; size=1024x1024", [{"quality": "hd", "size": "1024x1024"}]),
        ("1024x1024 default quality", [PLAIN]),
        ("prompt above 200k tokens", [{"input_above": "200000"}]),
        ("720p", [{"resolution": "720p"}]),
        ("720p and 1080p", [{"resolution": "720p"}, {"resolution": "1080p"}]),
        ("1K or 2K", [{"resolution": "1K"}, {"resolution": "2K"}]),
        ("1080p; 5 s", [{"duration_s": "5", "resolution": "1080p"}]),
        ("9 s 720p", [{"duration_s": "9", "resolution": "720p"}]),
        ("720x1280 or 1280x720", [{"size": "720x1280"}, {"size": "1280x720"}]),
        ("off-peak 16:30-00:30 UTC", [{"hours": "16:30-00:30"}]),
        ("credits 5", [PLAIN]),
        ("listed removal 2026-10-23; same value in 2025-12", [PLAIN]),
    ],
)
def test_a_remark_becomes_conditions_or_stays_a_comment(
    remark: str, conditions: list[dict[str, str]]
) -> None:
    assert conditions_of(row_of(remark)) == conditions


def test_a_remark_with_another_figure_makes_a_second_price() -> None:
    prices = read(row_of("720p; 1080p 0.12", "video_second")).reading.prices
    assert {price.conditions["resolution"]: price.rate_usd for price in prices} == {
        "720p": Decimal("0.5"),
        "1080p": Decimal("0.12"),
    }


@pytest.mark.parametrize(
    "remark",
    ["low confidence", "approximate", "an estimate of ours", "conflicts with somebody 2", "from"],
)
def test_a_doubtful_row_is_proposed_and_holds_nowhere(remark: str) -> None:
    found = read(row_of(remark))
    assert found.reading.prices == ()
    (proposal,) = found.reading.proposals
    assert remark in (proposal.comment or "")
    assert [one.became for one in found.outcomes] == ["proposed"]


def test_a_remark_that_no_rule_knows_is_a_doubt() -> None:
    assert [one.reason for one in read(row_of("on full moon")).outcomes] == [
        "not understood: on full moon"
    ]


def test_a_row_from_memory_is_proposed() -> None:
    found = read("openai,m,image,image,0.5,,2026,from memory [M]")
    assert [one.reason for one in found.outcomes] == ["from memory"]


def test_a_clip_of_a_length_that_is_not_said_is_proposed() -> None:
    assert read(row_of("1080p", "video")).reading.prices == ()
    assert the_price(row_of("1080p; 5 s", "video")).unit == "video"


def test_the_younger_of_two_rows_holds_from_its_date_on_and_the_older_before() -> None:
    prices = read(
        "deepseek,m,chat,1M_input_tokens,0.27,,2025-12,a list [T]",
        "deepseek,m,chat,1M_input_tokens,0.28,,2026-11,a list [T]",
    ).reading.prices
    border = date(2026, 11, 1)
    assert [(p.rate_usd, p.valid_from_us, p.valid_to_us) for p in prices] == [
        (Decimal("0.27"), 0, prices[1].valid_from_us),
        (Decimal("0.28"), prices[0].valid_to_us, None),
    ]
    assert to_text(prices[1].valid_from_us or 0).startswith(border.isoformat())


def test_of_two_rows_of_one_date_the_better_source_holds_and_the_other_is_proposed() -> None:
    found = read(
        "wavespeed,m,image,image,0.1,,2026,a list [T]",
        "wavespeed,m,image,image,0.05,,2026,the vendor [D]",
    )
    assert [price.rate_usd for price in found.reading.prices] == [Decimal("0.05")]
    assert [one.became for one in found.outcomes] == ["proposed", "imported"]


def test_rows_that_say_the_same_are_one_price_and_both_imported() -> None:
    found = read(
        "openai,m,chat,1M_input_tokens,2,,2025-12-24,one list [T]",
        "openai,m,chat,1M_input_tokens,2,,2026-11,another list [T]",
    )
    assert len(found.reading.prices) == 1
    assert [one.became for one in found.outcomes] == ["imported", "imported"]


def test_hours_end_with_the_first_later_list_that_knows_of_none() -> None:
    prices = read(
        "deepseek,m,chat,1M_input_tokens,0.135,off-peak 16:30-00:30 UTC,2025-07-12,a list [T]",
        "deepseek,m,chat,1M_input_tokens,0.28,,2026-11,a list [T]",
    ).reading.prices
    (hours,) = [price for price in prices if price.conditions]
    assert to_text(hours.valid_to_us or 0).startswith("2026-11-01")


def test_a_price_per_hour_is_kept_as_it_was_stated_not_as_its_rounded_second() -> None:
    price = the_price("groq,w,stt,audio_second,0.00003083,0.111 per hour,2026-11,a list [T]")
    assert (price.unit, price.per, price.rate_usd) == ("audio_ms", 3_600_000, Decimal("0.111"))


def test_whole_seconds_are_a_step_of_the_billed_quantity() -> None:
    price = the_price("openai,w,stt,audio_second,0.0001,billed on whole seconds,2026-11,a list [T]")
    assert (price.quantity_step, price.per) == (1000, 1000)


@pytest.mark.parametrize(
    ("provider", "name", "expected"),
    [
        ("kling", "kling-v1.6 pro", ("kling", "kling-v1.6", {"mode": "pro"})),
        ("ideogram", "ideogram-v3 default", ("ideogram", "ideogram-v3", PLAIN)),
        (
            "ideogram",
            "ideogram-v3 turbo + character reference",
            (
                "ideogram",
                "ideogram-v3",
                {"character_reference": "true", "rendering_speed": "turbo"},
            ),
        ),
        ("aws", "polly neural", ("aws-polly", "polly", {"engine": "neural"})),
        ("huggingface:groq", "a/b", ("huggingface", "a/b", {"upstream": "groq"})),
    ],
)
def test_names_that_say_more_than_the_model_are_taken_apart(
    provider: str, name: str, expected: tuple[str, str, dict[str, str]]
) -> None:
    price = the_price(row_of("", model=name, provider=provider))
    assert (price.provider, price.model, price.conditions) == expected


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("openai,m,image,image,NaN,,2026,a list [T]", "line 2: usd_per_unit"),
        ("openai,m,image,image,-1,,2026,a list [T]", "is negative"),
        ("openai,m,image,image,1,,soon,a list [T]", "line 2: as_of"),
        ("openai,m,image", "line 2"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_by_its_line(row: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read(row)


def test_a_row_of_an_unknown_provider_or_unit_is_skipped_and_said() -> None:
    found = read("nobody,m,image,image,1,,2026,a list [T]", "openai,m,image,wish,1,,2026,a [T]")
    assert [one.reason for one in found.reading.skipped] == [
        "no such provider in providers.toml",
        "an unknown unit: wish",
    ]
