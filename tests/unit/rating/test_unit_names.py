import csv
from importlib import resources

from genai_prices.data_units import unit_data

from tollbridge.core.usage import PARENTS_OF, Unit
from tollbridge.rating.prices import EXACT_PERS
from tollbridge.rating.tariff import ANCESTORS
from tollbridge.rating.unit_names import FILE_NAMES, GENAI_NAMES, PER_OF, find, why_skipped


def test_every_unit_of_the_media_prices_is_read_or_skipped_for_a_reason() -> None:
    path = resources.files("tollbridge.rating") / "catalogue" / "media_prices.csv"
    with path.open(encoding="utf-8") as file:
        units = {row["unit"] for row in csv.DictReader(file)}
    assert len(units) > 20
    assert [unit for unit in units if (find(unit) is None) == (why_skipped(unit) is None)] == []


def test_every_price_key_of_genai_prices_is_read_or_skipped_for_a_reason() -> None:
    keys = {unit.get("price_key", name) for name, unit in unit_data.items()}
    assert len(keys) > 50
    odd = [key for key in keys if (key in GENAI_NAMES) == (why_skipped(key) is not None)]
    assert odd == []


def test_a_name_that_nobody_uses_is_neither_read_nor_skipped() -> None:
    assert (find("furlong"), why_skipped("furlong")) == (None, None)


def test_every_unit_can_be_priced_in_the_configuration() -> None:
    assert {priced.unit for priced in FILE_NAMES.values()} == {unit.value for unit in Unit}
    assert PER_OF.keys() == {unit.value for unit in Unit}


def test_prices_per_usual_number_are_divided_exactly() -> None:
    assert set(PER_OF.values()) <= EXACT_PERS


def test_a_second_is_a_thousand_milliseconds_and_a_megapixel_a_million_pixels() -> None:
    assert find("video_second") == ("video_ms", 1000)
    assert find("audio_hour") == ("audio_ms", 3_600_000)
    assert find("audio_hours") == ("audio_ms", 3_600_000)
    assert find("megapixel") == ("pixel", 1_000_000)
    assert find("1M_cache_write_5m_tokens") == ("cache_write", 1_000_000)


def test_the_lattice_has_no_circle_and_names_all_wholes_of_a_part() -> None:
    for unit in PARENTS_OF:
        assert unit.value not in ANCESTORS[unit.value]
    assert ANCESTORS["cache_write_1h"] == ("cache_write", "input")
    assert set(ANCESTORS["cache_audio_read"]) == {"cache_read", "audio_input", "input"}
