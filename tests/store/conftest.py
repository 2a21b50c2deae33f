"""What several tests of the store begin with."""

from pathlib import Path

import pytest

from tollbridge.core.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"
