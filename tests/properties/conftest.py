"""What several properties begin with."""

import asyncio
from pathlib import Path

import pytest

from tests.support.databases import make_schema


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite database, to be copied for each example."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(make_schema(f"sqlite:///{path}"))
    return path
