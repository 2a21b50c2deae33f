import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.access.keys import (
    DeclaredKey,
    Digester,
    KeyTerms,
    check_given,
    digest,
    mint,
)
from tollbridge.core.errors import ConfigurationError

PEPPER = b"p" * 32


def test_a_minted_key_has_the_prefix_and_over_128_random_bits() -> None:
    key = mint()
    assert key.startswith("tb_")
    assert key[3:].isalnum()
    assert len(key) == 35  # 32 characters of 62: over 190 bits
    assert len({mint() for _ in range(100)}) == 100


@given(pepper=st.binary(max_size=200), key=st.text(st.characters(codec="utf-8"), max_size=600))
def test_the_fast_digest_is_hmac_sha256_for_any_pepper(pepper: bytes, key: str) -> None:
    expected = hmac.new(pepper, key.encode(), "sha256")
    assert Digester(pepper).digest(key.encode()) == expected.digest()
    assert digest(pepper, key) == expected.hexdigest()


def test_another_pepper_gives_another_digest() -> None:
    assert digest(b"a", "tb_x") != digest(b"b", "tb_x")


@pytest.mark.parametrize("key", ["k" * 31, "k" * 513, "k" * 40 + " k", "k" * 40 + "\n", "é" * 40])
def test_a_given_key_that_is_short_long_or_unfit_for_a_header_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_given("ci", key)
    assert key not in refused.value.message


def test_a_given_key_of_32_characters_is_taken() -> None:
    check_given("ci", "k" * 32)


def test_a_declared_key_does_not_show_its_text() -> None:
    assert "secret" not in repr(DeclaredKey(KeyTerms("ci", "ci"), "secret" * 6))
