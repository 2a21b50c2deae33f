"""Who served, case by case: what the brief shows, what its original answers, what answers say."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tollbridge import APIProvider, detect_actual_provider
from tollbridge.attribution.attribute import attribute
from tollbridge.attribution.explain import explain
from tollbridge.attribution.rules import builtin
from tollbridge.attribution.ruling import Rules
from tollbridge.core.attribution import Evidence
from tollbridge.providers.names import load_names

TABLES = Path(__file__).parents[2] / "data" / "attribution"
RULES = Rules(builtin(), load_names().resolve)
Case = dict[str, str]


def cases(*names: str) -> list[Any]:
    """Return the rows of some tables, each with an id that finds it again."""
    found: list[Any] = []
    for name in names:
        with (TABLES / name).open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                found.append(pytest.param(row, id=f"{name}:{number}"))
    return found


def evidence_of(case: Case) -> Evidence:
    header, _, value = case.get("header", "").partition(":")
    return Evidence(
        bucket=case["bucket"] or None,
        model=case["model"] or None,
        path=case["path"] or None,
        host=case.get("host") or None,
        headers={header: value.strip()} if header else {},
        response_id=case.get("response_id") or None,
        aggregator_provider=case.get("aggregator") or None,
        reported_provider=case.get("reported") or None,
    )


@pytest.mark.parametrize("case", cases("brief.csv", "origins.csv", "answers.csv"))
def test_the_table_s_provider_served_and_it_is_as_sure(case: Case) -> None:
    found = attribute(evidence_of(case), RULES)
    assert (found.provider, found.upstream_provider or "", found.confidence.value) == (
        case["provider"],
        case.get("upstream", found.upstream_provider or ""),
        case["confidence"],
    )


@pytest.mark.parametrize("case", cases("brief.csv", "origins.csv"))
def test_the_python_interface_says_the_same(case: Case) -> None:
    bucket = APIProvider(case["bucket"]) if case["bucket"] else None
    assert detect_actual_provider(bucket, case["model"], case["path"]) == case["provider"]
    assert (
        detect_actual_provider(
            provider_enum=bucket, model_name=case["model"] or None, endpoint=case["path"] or None
        )
        == case["provider"]
    )


@pytest.mark.parametrize("case", cases("brief.csv", "origins.csv", "answers.csv"))
def test_the_explanation_s_first_match_decided(case: Case) -> None:
    explained = explain(evidence_of(case), RULES)
    matched = [rule for rule in explained.tried if rule.matched]
    decided = [rule.rule_id for rule in explained.tried if rule.decided]
    assert decided == ([matched[0].rule_id] if matched else [])
    assert explained.attribution.rule_id == (matched[0].rule_id if matched else "none")
    assert all(rule.words for rule in matched)


def test_the_tables_name_every_bucket() -> None:
    named = {case.values[0]["bucket"] for case in cases("origins.csv")}
    assert named >= {bucket.value for bucket in APIProvider}
    assert len(APIProvider) == 14
