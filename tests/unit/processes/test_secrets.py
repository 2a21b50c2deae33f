import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from tollbridge.core.errors import ConfigurationError
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.settings import Settings

GIVEN = base64.b64encode(b"k" * 32).decode()


def test_secrets_are_made_once_and_kept_where_only_their_owner_reads_them(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    first = load_secrets(settings, Places(tmp_path))
    again = load_secrets(settings, Places(tmp_path))
    assert first == again
    assert len({first.pepper, first.signing, first.master}) == 3
    for path in (tmp_path / "master.key", tmp_path / "secrets" / "pepper.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "k" * 8 not in repr(first)


def test_a_given_secret_is_taken_and_writes_no_file(tmp_path: Path) -> None:
    given = SecretStr(GIVEN)
    settings = Settings(data_dir=tmp_path, pepper=given, signing_key=given, master_key=given)
    secrets = load_secrets(settings, Places(tmp_path))
    assert (secrets.pepper, secrets.signing, secrets.master) == (b"k" * 32,) * 3
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"k" * 31).decode()])
def test_a_secret_that_is_not_32_bytes_in_base64_is_refused_by_name(
    tmp_path: Path, text: str
) -> None:
    settings = Settings(data_dir=tmp_path, pepper=SecretStr(text))
    with pytest.raises(ConfigurationError, match="TOLLBRIDGE_PEPPER"):
        load_secrets(settings, Places(tmp_path))
