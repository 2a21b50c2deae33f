"""On which day is a limit used up, or a wallet empty, if it goes on as expected? Pure."""

from collections.abc import Sequence

import msgspec

from tollbridge.insight.forecast import Span


class Pot(msgspec.Struct):
    """What is left of one grant of a wallet."""

    left: float
    expires_at_us: int | None = None


class UsedUp(msgspec.Struct, frozen=True):
    """When nothing is left: days ahead, 0 is today; None: not within the days looked at."""

    already: bool
    expected: int | None = None
    earliest: int | None = None
    """If as much is used as the band says at most …"""
    latest: int | None = None
    """… and at least."""


def used_up(left: float, totals: Sequence[Span]) -> UsedUp:
    """Return when an amount is used up. `totals`: what is used from now to each day's end."""
    if left <= 0:
        return UsedUp(already=True)
    return UsedUp(
        already=False,
        expected=_first(left, [one.expected for one in totals]),
        earliest=_first(left, [one.high for one in totals]),
        latest=_first(left, [one.low for one in totals]),
    )


def runs_out(
    pots: Sequence[Pot], spare: float, totals: Sequence[Span], starts_us: Sequence[int]
) -> UsedUp:
    """Return when a wallet is empty, some of its grants expiring on the way.

    `pots` in the order in which they are spent; `spare`: the overdraft, less what is overdrawn.
    `starts_us`: the start of each day ahead. A grant that expires in the course of a day is there
    for all of that day.
    """
    if sum(one.left for one in pots) + spare <= 0:
        return UsedUp(already=True)

    def empty(used: Sequence[float]) -> int | None:
        return _empty([Pot(one.left, one.expires_at_us) for one in pots], spare, used, starts_us)

    return UsedUp(
        already=False,
        expected=empty([one.expected for one in totals]),
        earliest=empty([one.high for one in totals]),
        latest=empty([one.low for one in totals]),
    )


def _first(left: float, used: Sequence[float]) -> int | None:
    return next((day for day, amount in enumerate(used) if amount >= left), None)


def _empty(
    pots: Sequence[Pot], spare: float, used: Sequence[float], starts_us: Sequence[int]
) -> int | None:
    before = 0.0
    for day, (amount, start_us) in enumerate(zip(used, starts_us, strict=True)):
        # The lower end of a band may sink from one day to the next: nothing is given back.
        needed = max(0.0, amount - before)
        before = max(before, amount)
        live = [one for one in pots if one.expires_at_us is None or one.expires_at_us > start_us]
        for one in live:
            taken = min(needed, one.left)
            one.left -= taken
            needed -= taken
        spare -= needed
        if sum(one.left for one in live) + spare <= 0:
            return day
    return None
