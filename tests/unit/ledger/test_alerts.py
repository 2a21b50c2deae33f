"""In which words is somebody told of a limit?"""

import pytest

from tollbridge.core.clock import SECOND_US
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.alerts import Source, Standing, words_of

DECEMBER_US = 1_796_083_200 * SECOND_US


def standing(
    source: Source, kind: LimitKind, used: int, limit: int, end_us: int | None
) -> Standing:
    return Standing(
        source=source,
        limit_id="l",
        name="ana-month",
        subject="user:ana",
        kind=kind,
        used=used,
        limit=limit,
        period_start_us=0,
        period_end_us=end_us,
    )


@pytest.mark.parametrize(
    ("one", "title", "message"),
    [
        (
            standing(Source.BUDGET, LimitKind.MONEY, 800_000_000, 10**9, DECEMBER_US),
            "Budget ana-month: 80 % used",
            "0.8 of 1 USD are used, for user:ana. It begins anew at 2026-12-01 00:00 UTC.",
        ),
        (
            standing(Source.PLAN, LimitKind.CALLS, 8, 10, None),
            "Plan limit ana-month: 80 % used",
            "8 of 10 calls are used, for user:ana.",
        ),
        (
            standing(Source.GRANT, LimitKind.CREDITS, 5_000_000, 20_000_000, DECEMBER_US),
            "Wallet ana-month: 5 credits expire",
            "5 of 20 credits are left of a grant that expires at 2026-12-01 00:00 UTC.",
        ),
        (
            standing(Source.WALLET, LimitKind.CREDITS, 16_000_000, 20_000_000, None),
            "Wallet ana-month: 80 % used",
            "4 credits are left of 20 since the last top-up.",
        ),
    ],
)
def test_an_alert_says_what_is_used_and_until_when(one: Standing, title: str, message: str) -> None:
    assert words_of(one, 80) == (title, message)
