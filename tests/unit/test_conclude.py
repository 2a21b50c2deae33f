import pytest

from tests.support.evidence import a_book, a_closed, an_attempt, an_opened, price_rows
from tollbridge.conclude import Conclusions, charge_of, conclude
from tollbridge.core.call import AttemptOutcome, Ending, Hold, Operation, Status
from tollbridge.core.evidence import CallEvidence
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.conditions import canonical
from tollbridge.rating.prices import PricePart

CHARGE_NANOUSD = 522_900
RATES = {"input": "0.15", "output": "0.60"}
CONCLUSIONS = Conclusions(a_book("openai", "gpt-4o-mini", RATES), EstimateRules())


def evidence(*holds_nanousd: int, ending: Ending = Ending.COMPLETE) -> CallEvidence:
    """Return a call of 2518 tokens in and 242 out, with a hold in as many budgets."""
    usage = {"prompt_tokens": 2518, "completion_tokens": 242, "total_tokens": 2760}
    attempt = an_attempt(
        provider="openai",
        model="gpt-4o-mini",
        served_model="gpt-4o-mini",
        outcome=AttemptOutcome.SUCCEEDED,
        written=True,
        http_status=200,
        usage=usage,
    )
    holds = tuple(
        Hold(f"lease-{number}", f"budget-{number}", 0, amount)
        for number, amount in enumerate(holds_nanousd)
    )
    return CallEvidence(an_opened(holds=holds), a_closed(attempts=(attempt,), ending=ending))


def test_a_charge_above_any_one_of_its_holds_is_an_overrun() -> None:
    for holds in ((300_000,), (300_000, 300_000), (1_000_000, 300_000)):
        assert "overrun" in conclude(evidence(*holds), CONCLUSIONS).flags
    for holds in ((), (CHARGE_NANOUSD,), (CHARGE_NANOUSD, 1_000_000)):
        assert "overrun" not in conclude(evidence(*holds), CONCLUSIONS).flags


def test_what_a_worker_charges_is_what_the_books_charge() -> None:
    call = evidence(1_000_000)
    assert charge_of(call, CONCLUSIONS) == conclude(call, CONCLUSIONS).charge_nanousd
    assert charge_of(call, CONCLUSIONS) == CHARGE_NANOUSD


@pytest.mark.parametrize(
    ("rates", "counts", "flagged"),
    [
        ({"character": "15"}, {"character": 900}, False),
        ({"audio_ms": "0.00025"}, {"character": 900, "audio_ms": 60_000}, True),
        (
            {"input": "0.6", "audio_output": "12", "output": "12"},
            {"character": 900, "input": 225, "output": 1250, "audio_output": 1250},
            True,
        ),
        ({"image": "1"}, {"character": 900}, False),
    ],
)
def test_speech_is_billed_by_its_characters_or_by_what_they_take_of_what_has_a_price(
    rates: dict[str, str], counts: dict[str, int], *, flagged: bool
) -> None:
    attempt = an_attempt(model="tts", counts={"character": 900})
    call = CallEvidence(an_opened(operation=Operation.AUDIO_SPEECH), a_closed(attempts=(attempt,)))
    conclusions = Conclusions(a_book("openai", "tts", rates), EstimateRules())
    account = conclude(call, conclusions)
    assert account.usage.counts == counts
    assert ("speech_estimated" in account.flags) is flagged
    assert ("estimated" in account.flags) is flagged
    assert (account.cost_nanousd is None) is ("image" in rates)
    assert charge_of(call, conclusions) == account.charge_nanousd


def test_only_a_call_that_came_whole_to_its_caller_is_completed() -> None:
    for ending in Ending:
        account = conclude(evidence(ending=ending), CONCLUSIONS)
        expected = Status.COMPLETED if ending is Ending.COMPLETE else Status.FAILED
        assert account.status is expected
        assert account.cost_nanousd == CHARGE_NANOUSD


def test_behind_an_aggregator_the_price_is_that_of_who_ran_the_model() -> None:
    model = "openai/gpt-oss-120b"
    rows = price_rows(
        "huggingface", model, RATES, conditions=canonical("test", {"upstream": "groq"})
    )
    conclusions = Conclusions(PriceBook(PricePart(rows=rows)), EstimateRules())

    def cost_behind(upstream: str) -> int | None:
        attempt = an_attempt(
            provider="huggingface",
            model=model,
            served_model=model,
            outcome=AttemptOutcome.SUCCEEDED,
            written=True,
            http_status=200,
            headers={"x-inference-provider": upstream},
            usage={"prompt_tokens": 2518, "completion_tokens": 242, "total_tokens": 2760},
        )
        call = CallEvidence(an_opened(), a_closed(attempts=(attempt,)))
        return conclude(call, conclusions).cost_nanousd

    assert cost_behind("groq") == CHARGE_NANOUSD
    assert cost_behind("together") is None
