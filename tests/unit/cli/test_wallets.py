"""Wallets and credit rates from a terminal."""

import json

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


@pytest.fixture
def ada(terminal: Terminal) -> Terminal:
    """Return a terminal that knows a wallet of ada."""
    terminal.done("wallets", "create", "ada", "user:ada")
    return terminal


def test_what_is_put_in_is_shown_and_stands_in_the_statement(ada: Terminal) -> None:
    ada.done("wallets", "purchase", "ada", "100", "--price", "9.50", "--note", "pack of 100")
    ada.done("wallets", "grant", "ada", "7.5", "--expires", "2999-01-01")
    ada.done("wallets", "adjust", "ada", "5", "a mistake")
    ada.done("wallets", "adjust", "ada", "--", "-2.5", "another")
    shown = json.loads(ada.done("wallets", "show", "ada", "--json"))
    assert [one["balance"] for one in shown] == ["110"]
    assert shown == json.loads(ada.done("wallets", "list", "--json"))
    rows = json.loads(ada.done("wallets", "transactions", "ada", "--json"))
    assert [(row["kind"], row["amount"], row["balance_after"]) for row in rows] == [
        ("adjustment", "-2.5", "110"),
        ("adjustment", "5", "112.5"),
        ("grant", "7.5", "107.5"),
        ("purchase", "100", "100"),
    ]
    assert "pack of 100" in ada.done("wallets", "transactions", "ada")
    assert "110 credits" in ada.done("wallets", "balance", "ada")
    assert " 0 credits" in ada.done("wallets", "balance", "ada", "--at", "2020-01-01")


def test_the_same_key_does_it_once(ada: Terminal) -> None:
    command = ("wallets", "purchase", "ada", "10", "--idempotency-key", "order-7")
    ada.done(*command)
    assert "done before" in ada.done(*command)
    assert "idempotency key" in ada.refused(
        "wallets", "purchase", "ada", "11", "--idempotency-key", "order-7"
    )


def test_what_makes_no_sense_is_refused(ada: Terminal) -> None:
    assert "amount" in ada.refused("wallets", "purchase", "ada", "much")
    assert "amount" in ada.refused("wallets", "purchase", "ada", "--", "-1")
    assert "expires_at" in ada.refused("wallets", "grant", "ada", "1", "--expires", "2020-01-01")
    assert "does not hold" in ada.refused("wallets", "adjust", "ada", "--", "-1", "too much")
    assert "no wallet" in ada.refused("wallets", "show", "bob")
    assert "future" in ada.refused("wallets", "balance", "ada", "--at", "2999-01-01")
    assert "subject" in ada.refused("wallets", "create", "x", "ada")


def test_rates_are_set_listed_and_removed(terminal: Terminal) -> None:
    terminal.done(
        "credit-rates", "set", "clustering", "--tokens-per-credit", "150", "--min-credits", "10"
    )
    assert "150" in terminal.done("credit-rates", "list")
    rows = json.loads(terminal.done("credit-rates", "list", "--json"))
    assert "clustering" in {row["rate"]["operation"] for row in rows}
    terminal.done("credit-rates", "remove", "clustering")
    assert "no credit rate" in terminal.refused("credit-rates", "remove", "clustering")
    assert "a rate has one of" in terminal.refused("credit-rates", "set", "x")
