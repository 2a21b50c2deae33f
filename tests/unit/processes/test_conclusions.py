"""The operator's ratios hold wherever a call is concluded."""

from pathlib import Path

import pytest

import tollbridge
from tollbridge.metering.estimate import EstimateRules
from tollbridge.processes.conclusions import make_conclusions
from tollbridge.rating.prices import PricePart
from tollbridge.settings import Settings


def test_the_ratios_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBRIDGE_ESTIMATE_BYTES_PER_TOKEN", "3")
    monkeypatch.setenv("TOLLBRIDGE_ESTIMATE_TOKENS_PER_CHUNK", "2")
    made = make_conclusions(Settings(), PricePart([]))
    assert made.estimates == EstimateRules(bytes_per_token=3, tokens_per_chunk=2)


def test_nobody_makes_rules_of_their_own() -> None:
    """Else a worker's charge and the office's would differ by what one of them forgot."""
    root = Path(tollbridge.__file__).parent
    makers = [path.name for path in root.rglob("*.py") if "EstimateRules(\n" in path.read_text()]
    assert makers == ["conclusions.py"]
