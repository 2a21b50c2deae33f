import csv
import io
import json
from decimal import Decimal

from tollbridge.rating.model_export import EXPORTED, compare, csv_of, json_of
from tollbridge.rating.models import Model

MINI = Model(
    model_name="gpt-4o-mini",
    display_name="GPT-4o mini",
    model_type="text",
    provider="openai",
    input_cost_per_1m=Decimal("0.15"),
    output_cost_per_1m=Decimal("0.6"),
    context_window=128_000,
)
EVIL = Model(
    model_name="@SUM(A1)",
    display_name="=HYPERLINK(1)",
    model_type="image",
    provider="+p",
    description="-1\n2",
    valid_sizes=("=1x1", "2x2"),
    updated_by="\tx",
)


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_the_table_has_plain_prices_and_nothing_for_what_is_not_known() -> None:
    (row,) = rows(csv_of([MINI]))
    assert tuple(row) == EXPORTED
    assert row["input_cost_per_1m"] == "0.1500"
    assert row["output_cost_per_1m"] == "0.6000"
    assert row["cost_per_image"] == ""
    assert (row["context_window"], row["is_active"]) == ("128000", "true")


def test_no_cell_begins_like_a_formula() -> None:
    (row,) = rows(csv_of([EVIL]))
    assert row["model_name"] == "'@SUM(A1)"
    assert row["display_name"] == "'=HYPERLINK(1)"
    assert row["provider"] == "'+p"
    assert row["description"] == "'-1\n2"
    assert row["valid_sizes"] == "'=1x1 2x2"
    assert row["updated_by"] == "'\tx"


def test_json_says_the_same_in_its_own_types() -> None:
    (row,) = json.loads(json_of([EVIL]))["models"]
    assert row["display_name"] == "=HYPERLINK(1)"
    assert row["valid_sizes"] == ["=1x1", "2x2"]
    assert row["input_cost_per_1m"] is None
    assert row["is_active"] is True


def test_models_stand_side_by_side_with_what_differs_marked() -> None:
    table = {row.field: row for row in compare([MINI, EVIL, MINI])}
    assert table["model_name"].values == ("gpt-4o-mini", "@SUM(A1)", "gpt-4o-mini")
    assert table["input_cost_per_1m"].values == ("0.1500", None, "0.1500")
    assert table["input_cost_per_1m"].differs
    assert not table["is_active"].differs
