from tollbridge.ledger.postings import (
    CHARGES,
    COSTS,
    budget_account,
    entries,
    provider_account,
)


def test_a_batch_has_one_row_per_account_and_sums_to_zero() -> None:
    rows = entries({("b1", 5): 30, ("b2", 5): 12}, {"openai": 40, "google": 2})
    assert dict(rows) == {
        budget_account("b1", 5): 30,
        budget_account("b2", 5): 12,
        CHARGES: -42,
        provider_account("openai"): 40,
        provider_account("google"): 2,
        COSTS: -42,
    }
    assert len(rows) == len(dict(rows))


def test_zeros_are_not_posted() -> None:
    assert entries({("b1", 5): 0}, {"openai": 0}) == []


def test_a_refund_is_posted_with_its_sign() -> None:
    assert dict(entries({("b1", 5): -3}, {})) == {budget_account("b1", 5): -3, CHARGES: 3}
