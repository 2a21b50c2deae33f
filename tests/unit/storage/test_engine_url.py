import pytest

from tollbridge.core.errors import ConfigurationError
from tollbridge.storage.engine import create_engine, parse_url


@pytest.mark.parametrize(
    ("given", "opened"),
    [
        ("sqlite:///data/a.db", "sqlite+aiosqlite:///data/a.db"),
        ("sqlite:////data/a.db", "sqlite+aiosqlite:////data/a.db"),
        ("sqlite+aiosqlite:///a.db", "sqlite+aiosqlite:///a.db"),
        ("postgres://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgresql://u@/d?host=/run/x", "postgresql+asyncpg://u@/d?host=/run/x"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d?sslmode=require", "postgresql+asyncpg://u@h/d?ssl=require"),
    ],
)
def test_an_address_as_people_write_it_names_our_driver(given: str, opened: str) -> None:
    shown = parse_url(given).render_as_string(hide_password=False)
    assert shown.replace("%2F", "/") == opened


@pytest.mark.parametrize(
    "given",
    ["mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "secret", "", "postgresql+x://h/d"],
)
def test_an_address_that_cannot_be_opened_is_refused_without_its_password(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_engine(given)
    assert "secret" not in caught.value.message
