import base64

import msgspec
import pytest

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.plan import Endpoint
from tollbridge.routing.part import DeclaredEndpoint
from tollbridge.routing.sealed import master_id, seal, try_unseal, unseal

MASTER = b"m" * 32


def test_a_key_opens_with_its_master_and_endpoint_only() -> None:
    sealed = seal(MASTER, "openai", "sk-secret")
    assert unseal(MASTER, "openai", sealed) == "sk-secret"
    with pytest.raises(ConfigurationError, match="encrypted with the master key"):
        unseal(b"n" * 32, "openai", sealed)
    with pytest.raises(ConfigurationError, match="was changed"):
        unseal(MASTER, "another", sealed)


def test_a_changed_ciphertext_does_not_open() -> None:
    sealed = seal(MASTER, "openai", "sk-secret")
    raw = bytearray(base64.b64decode(sealed.text))
    raw[-1] ^= 1
    changed = msgspec.structs.replace(sealed, text=base64.b64encode(raw).decode())
    with pytest.raises(ConfigurationError):
        unseal(MASTER, "openai", changed)
    assert try_unseal(MASTER, "openai", changed) is None
    assert try_unseal(MASTER, "openai", None) == ""


def test_the_same_key_is_sealed_differently_each_time() -> None:
    assert seal(MASTER, "openai", "sk-secret") != seal(MASTER, "openai", "sk-secret")


def test_a_master_key_has_32_bytes() -> None:
    with pytest.raises(ConfigurationError, match="32 bytes, not 5"):
        master_id(b"short")


def test_an_endpoint_does_not_show_its_key() -> None:
    endpoint = Endpoint("a", "p", "openai", "https://h/v1", api_key="sk-secret")
    assert "secret" not in repr(DeclaredEndpoint(endpoint))
