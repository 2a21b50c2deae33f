"""Which content codings does a browser take?"""

import pytest

from tollbridge.api.dashboard import accepts


@pytest.mark.parametrize("accepted", ["br", "gzip, br;q=0.5", "gzip,BR", "gzip;q=0, br ; q=1"])
def test_a_coding_that_is_named_is_taken(accepted: str) -> None:
    assert accepts(accepted, "br")


@pytest.mark.parametrize("accepted", ["", "gzip", "br;q=0", "gzip, br; q=0.0", "brotli", "*"])
def test_a_coding_that_is_not_named_or_refused_is_not_sent(accepted: str) -> None:
    assert not accepts(accepted, "br")
