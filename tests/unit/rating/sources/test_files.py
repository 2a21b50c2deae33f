import io
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from tollbridge.core.clock import to_text
from tollbridge.core.errors import ConfigurationError
from tollbridge.providers.names import load_names
from tollbridge.rating.prices import DeclaredPrice
from tollbridge.rating.sources.files import ROW_BYTES_MAX, read_prices

RESOLVE = load_names().resolve
HEAD = "provider,model,unit,rate"
ROW = {"provider": "local", "model": "m", "unit": "input", "rate": "0.5"}


def read(text: str | bytes, name: str = "prices.csv") -> list[DeclaredPrice]:
    raw = text.encode() if isinstance(text, str) else text
    return list(read_prices(io.BytesIO(raw), name, RESOLVE))


def refused(text: str | bytes, name: str = "prices.csv") -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, name)
    return str(caught.value)


FULL: dict[str, object] = {
    **ROW,
    "provider": "x-ai",
    "unit": "audio_hour",
    "conditions": {"quality": "hd", "input_above": 200_000},
    "quantity_min": 10_000,
    "valid_from": "2026-03-01",
    "valid_to": "2026-04-01T12:00:00+02:00",
    "reference": "a contract",
    "as_of": "2026-02-01",
    "comment": "said on the phone",
}


def as_csv(row: dict[str, object]) -> str:
    cells = [json.dumps(one) if isinstance(one, dict) else str(one) for one in row.values()]
    quoted = ('"' + cell.replace('"', '""') + '"' for cell in cells)
    return f"{','.join(row)}\n{','.join(quoted)}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", as_csv(FULL)),
        ("p.json", json.dumps([FULL])),
        ("p.json", json.dumps([FULL], indent=2)),
        ("p.jsonl", json.dumps(FULL) + "\n\n"),
        ("p.NDJSON", json.dumps(FULL)),
    ],
)
def test_each_format_says_the_same(name: str, text: str) -> None:
    (price,) = read(text, name)
    assert (price.provider, price.model) == ("xai", "m")
    assert (price.unit, price.per, price.rate_usd) == ("audio_ms", 3_600_000, Decimal("0.5"))
    assert price.conditions == {"quality": "hd", "input_above": "200000"}
    assert (price.quantity_min, price.quantity_step) == (10_000, None)
    assert to_text(price.valid_from_us or 0) == "2026-03-01T00:00:00.000000Z"
    assert to_text(price.valid_to_us or 0) == "2026-04-01T10:00:00.000000Z"
    assert (price.reference, price.comment) == ("a contract", "said on the phone")
    assert (price.source_detail, str(price.as_of)) == (name, "2026-02-01")
    assert len(price.content_hash or "") == 64


def test_the_columns_of_the_pricing_table_are_understood() -> None:
    (price,) = read("provider,model,unit,rate_usd,per\nlocal,m,video_ms,0.5,1000\n")
    assert (price.unit, price.per, price.rate_usd) == ("video_ms", 1000, Decimal("0.5"))
    (price,) = read(json.dumps([{**ROW, "per": 1000}]), "p.json")
    assert (price.unit, price.per) == ("input", 1000)


def test_conditions_may_be_written_without_braces() -> None:
    (price,) = read(f"{HEAD},conditions\nlocal,m,image,0.1,quality=hd; size=1024x1024\n")
    assert price.conditions == {"quality": "hd", "size": "1024x1024"}


def test_names_of_other_lists_are_understood_and_an_own_provider_keeps_its_name() -> None:
    prices = read(
        f"{HEAD}\nhuggingface:groq,m,1M_cached_input_tokens,1\nmy-cluster,m,input_mtok,2\n"
    )
    assert [(one.provider, one.unit, one.conditions) for one in prices] == [
        ("huggingface", "cache_read", {"upstream": "groq"}),
        ("my-cluster", "input", {}),
    ]


def test_a_byte_order_mark_and_empty_cells_do_not_matter() -> None:
    (price,) = read(b"\xef\xbb\xbfprovider,model,unit,rate,comment\r\nlocal,m,input,1,\r\n")
    assert price.comment is None


def test_a_number_of_json_is_read_digit_for_digit() -> None:
    (price,) = read('[{"provider": "local", "model": "m", "unit": "input", "rate": 0.1}]', "p.json")
    assert price.rate_usd == Decimal("0.1")


def test_an_empty_array_has_no_prices() -> None:
    assert read(" [ ] ", "p.json") == []


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("local,m,input,-1", "line 3: rate: -1 is negative"),
        ("local,m,input,NaN", "line 3: rate: 'NaN' is no finite amount of money"),
        ("local,m,input,much", "line 3: rate: 'much' is no amount of money"),
        ("local,m,input,", "line 3: rate is missing"),
        ("local,m,wishes,1", "line 3: unit: 'wishes': no such unit"),
        ("local,m,1K_tokens,1", "line 3: unit: '1K_tokens': a label"),
        ("local,*,input,1", "line 3: model: '*' would match any model"),
        ("local,m,input", "line 3: 4 columns are expected"),
        ("local,m,input,1,2", "line 3: 4 columns are expected"),
        ('local,m,input,"1', "line 3: unexpected end of data"),
    ],
)
def test_a_bad_line_of_csv_is_named(row: str, why: str) -> None:
    assert why in refused(f"{HEAD}\nlocal,ok,input,1\n{row}\n")


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("valid_to", "2026-01-01", "valid_to is not after valid_from"),
        ("valid_from", "tomorrow", "line 2: valid_from:"),
        ("valid_from", "2026-01-01T00:00:00", "line 2: valid_from:"),
        ("as_of", "2026-13-01", "line 2: as_of:"),
        ("quantity_min", "few", "line 2: quantity_min is a whole number"),
        ("quantity_step", "0", "quantity_step is from 1"),
        ("conditions", "hd", "line 2: conditions: 'hd' is no key=value"),
        ("conditions", "{hd", "line 2: conditions:"),
        ("conditions", "hours=25:00-26:00", "hours are"),
        ("wish", "1", "line 2: no such column: wish"),
        ("per", "0", "per"),
        ("per", "many", "line 2: per is a whole number"),
        ("rate_usd", "1", "line 2: no such column: rate_usd"),
    ],
)
def test_a_bad_column_is_named(column: str, value: str, why: str) -> None:
    row: dict[str, object] = {**ROW, "valid_from": "2026-02-01", column: value}
    assert why in refused(as_csv(row))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("p.xls", "", "p.xls: a price file ends in .csv, .json, .jsonl, .ndjson"),
        ("p.csv", "", "line 1: the heading lacks provider, model, unit, rate"),
        ("p.csv", f"{HEAD},rate\n", "line 1: the heading names a column twice"),
        ("p.csv", b"provider,model\xff\n", "line 1: 'utf-8' codec can't decode"),
        ("p.csv", HEAD + "\n" + "x" * (ROW_BYTES_MAX + 2), "line 2: over 1000000 bytes"),
        ("p.json", "", "line 1: a JSON file is an array of objects"),
        ("p.json", "{}", "line 1: a JSON file is an array of objects"),
        ("p.json", "[1]", "line 1: an object is expected"),
        ("p.json", json.dumps([ROW, ROW], indent=1)[:-30], "line 11: "),
        ("p.json", json.dumps([ROW])[:-1], "line 1: a comma or the array's end is expected"),
        ("p.json", json.dumps([ROW])[:-1] + json.dumps(ROW), "a comma or the array's end"),
        ("p.json", b'[{"a\xff": 1}]', "line 1: 'utf-8' codec can't decode"),
        ("p.json", json.dumps([{**ROW, "rate": float("nan")}]), "rate is text, not float"),
        ("p.json", json.dumps([{**ROW, "rate": True}]), "rate is text, not bool"),
        ("p.json", json.dumps([{**ROW, "model": ["m"]}]), "model is text, not list"),
        ("p.jsonl", json.dumps(ROW) + "\nnone\n", "line 2: Expecting value"),
        ("p.jsonl", "[]\n", "line 1: an object is expected"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(
    name: str, text: str | bytes, why: str
) -> None:
    assert why in refused(text, name)


@pytest.mark.parametrize("name", ["p.csv", "p.json", "p.jsonl"])
def test_a_large_file_is_read_in_constant_memory_and_its_bad_line_is_named(
    name: str, tmp_path: Path
) -> None:
    rows, remark = 5_000, "x" * 1_900
    line = json.dumps({**ROW, "comment": remark})
    start, row, end = {
        "p.csv": (HEAD + ",comment\n", f"local,m,input,0.5,{remark}\n", "local,m,input,x,\n"),
        "p.json": ("[\n", line + ",\n", '{"model": 1}]'),
        "p.jsonl": ("", line + "\n", "{\n"),
    }[name]
    path = tmp_path / name
    path.write_text(start + row * rows + end)
    bad_line = rows + 1 + bool(start)
    seen = 0
    tracemalloc.start()
    with path.open("rb") as file:
        prices = read_prices(file, name, RESOLVE)
        for _ in range(rows):
            seen += next(prices).per
        with pytest.raises(ConfigurationError, match=rf"{name} line {bad_line}: "):
            next(prices)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == rows * 1_000_000
    assert path.stat().st_size > 9_000_000
    assert peak_bytes < 3_000_000
