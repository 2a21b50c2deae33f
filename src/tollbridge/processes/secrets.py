"""Which secrets does an installation have, and where do they lie?

Each is made at the first start, 32 random bytes in a file that only its owner may read, unless it
is given from outside. They are no part of a backup unless it is asked for.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

import msgspec
from pydantic import SecretStr

from tollbridge.core.errors import ConfigurationError
from tollbridge.processes.places import Places
from tollbridge.settings import Settings

SECRET_BYTES = 32


class Secrets(msgspec.Struct, frozen=True):
    """The secrets of one installation."""

    pepper: bytes
    """Under which API keys are digested."""
    signing: bytes
    """With which sign-in tokens are signed."""
    master: bytes
    """With which provider keys are encrypted in the database."""

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(settings: Settings, places: Places) -> Secrets:
    """Read the secrets; make those that are not there yet.

    Raises ConfigurationError where one is not 32 bytes in base64.
    """
    places.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Secrets(
        pepper=_secret(settings.pepper, "TOLLBRIDGE_PEPPER", places.secrets / "pepper.key"),
        signing=_secret(
            settings.signing_key, "TOLLBRIDGE_SIGNING_KEY", places.secrets / "signing.key"
        ),
        master=_secret(settings.master_key, "TOLLBRIDGE_MASTER_KEY", places.master_key),
    )


def _secret(given: SecretStr | None, name: str, path: Path) -> bytes:
    return _kept(path) if given is None else _read(given.get_secret_value(), name)


def _kept(path: Path) -> bytes:
    try:
        return _read(path.read_text("ascii"), str(path.name))
    except FileNotFoundError:
        secret = secrets.token_bytes(SECRET_BYTES)
    temporary = path.with_suffix(".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(base64.b64encode(secret) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return secret


def _read(text: str, name: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{name} is not base64") from error
    if len(secret) != SECRET_BYTES:
        raise ConfigurationError(f"{name} is not {SECRET_BYTES} bytes in base64")
    return secret
