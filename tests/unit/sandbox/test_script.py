import msgspec
import pytest

from tollbridge.sandbox import refusals
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import NO_FAULTS, Script, ScriptBook, from_header, from_text


def test_a_misspelt_fault_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError, match="cut_after"):
        from_header(b'{"cut_after": 3}')


@pytest.mark.parametrize(
    "text", [b'{"delay_first_byte_s": -1}', b'{"split": 0}', b'{"status":200}']
)
def test_a_fault_out_of_bounds_is_an_error(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_header(text)


def test_a_message_with_the_key_sandbox_is_a_script() -> None:
    assert from_text('{"sandbox": {"status": 429}}') == Script(status=429)


@pytest.mark.parametrize("text", ["", "hello", '{"a": 1}', 'say "sandbox"'])
def test_an_ordinary_message_is_no_script(text: str) -> None:
    assert from_text(text) is None


def test_queued_scripts_are_consumed_one_per_request_and_then_the_default_holds() -> None:
    book = ScriptBook()
    book.default = Script(status=503)
    book.push([Script(status=500), Script(status=429)])
    assert [book.claim("m", "k").status for _ in range(4)] == [500, 429, 503, 503]


def test_a_script_for_another_model_or_key_is_left_in_the_queue() -> None:
    book = ScriptBook()
    book.push([Script(status=500, model="a"), Script(status=429, key="zz"), Script(status=503)])
    assert book.claim("b", "sk-yy").status == 503
    assert book.claim("b", "sk-yy") is NO_FAULTS
    assert book.claim("b", "sk-zz").status == 429
    assert book.claim("a", "sk-yy").status == 500


def test_a_slow_reader_is_claimed_before_the_body() -> None:
    book = ScriptBook()
    book.push([Script(status=500), Script(read_delay_s=1)])
    claimed = book.claim_before_body("k")
    assert claimed is not None
    assert claimed.read_delay_s == 1
    assert book.claim_before_body("k") is None
    assert len(book) == 1


def test_the_queue_is_bounded() -> None:
    book = ScriptBook(queue_scripts_max=1)
    with pytest.raises(ValueError, match="more than 1"):
        book.push([NO_FAULTS, NO_FAULTS])


def test_both_kinds_of_429_are_told_apart_by_their_body() -> None:
    rate = refusals.of_script(Script(status=429))
    quota = refusals.of_script(Script(error="insufficient_quota"))
    assert (rate.status, rate.error["code"]) == (429, "rate_limit_exceeded")
    assert (quota.status, quota.error["type"]) == (429, "insufficient_quota")
    assert quota.error["message"].startswith("You exceeded your current quota")


def test_a_status_without_a_kind_of_its_own_is_a_server_error() -> None:
    refusal = refusals.of_script(Script(status=529))
    assert (refusal.status, refusal.error["type"]) == (529, "server_error")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RefusedError, match="no error kind"):
        refusals.scripted(Script(error="tired"))


def test_a_fraction_of_a_second_is_exact_in_milliseconds() -> None:
    assert refusals.retry_headers(0.25) == [(b"retry-after", b"1"), (b"retry-after-ms", b"250")]
