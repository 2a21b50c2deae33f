from tollbridge.core.limits import LimitKind
from tollbridge.ledger.postings import (
    CHARGES,
    COSTS,
    UNITS,
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


def test_each_unit_sums_to_zero_by_itself() -> None:
    kinds = {"c": LimitKind.CALLS, "t": LimitKind.TOKENS}
    charges = {("m", 0): 500, ("c", 0): 1, ("t", 0): 70, ("t", 9): -20}
    sums: dict[str, int] = {}
    for account, amount in entries(charges, {"groq": 400}, kinds):
        unit = next((one for one in UNITS if account.startswith(one)), "")
        sums[unit] = sums.get(unit, 0) + amount
    assert sums == {"": 0, "calls:": 0, "tokens:": 0}
    found = dict(entries(charges, {}, kinds))
    assert found["calls:budget:c:0"] == 1
    assert found["tokens:usage:charges"] == -50
