"""Which new versions follow from what somebody states, given what was stated before?

Pure. A statement that was made before adds nothing; one that contradicts another source, or
another statement beside it, is only proposed.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConfigurationError
from tollbridge.rating import conditions as rules
from tollbridge.rating.intervals import (
    FOREVER_US,
    Interval,
    Key,
    Timelines,
    Version,
    derive,
    lay_over,
    says,
    window,
)
from tollbridge.rating.matchers import Kind, can_meet, kind_of, literals
from tollbridge.rating.prices import (
    FOREVER_AGO_US,
    DeclaredPrice,
    Source,
    Status,
)
from tollbridge.storage.types import decimal_text

DISPUTE_SHARE = Fraction(1, 100)
"""Two sources that differ by more than this share of what holds contradict each other."""
BY_HAND = frozenset({Source.FILE.value, Source.OPERATOR.value})
"""Whoever states a withdrawn price here again means it."""


class Stated(NamedTuple):
    """A new version, and the statement that it comes from; None for a withdrawal."""

    version: Version
    price: DeclaredPrice | None


class Decision(NamedTuple):
    """What follows from statements."""

    stated: list[Stated]
    unchanged: int


def decide(
    prices: Sequence[DeclaredPrice],
    versions: Sequence[Version],
    source: Source,
    now_us: int,
    *,
    recorded_at_us: int,
    disputes: bool,
    proposed: bool = False,
) -> Decision:
    """Return the versions that checked statements of one source add.

    `versions` are all that are known of the providers named. Raises ConfigurationError for
    statements that overlap (unless `disputes`), and for a pattern that could not be told from
    another one.
    """
    _check_patterns(prices, versions)
    known = {(version.key.provider, version.key.model) for version in versions}
    recorded = _by_key(versions)
    timelines = derive(versions)
    at_odds = _at_odds(prices, source, disputes=disputes)
    stated: list[Stated] = []
    unchanged = 0
    for number, price in enumerate(prices):
        version = _version(price, source, recorded_at_us)
        if price.valid_from_us is None:
            is_known = (price.provider, price.model) in known
            version = msgspec.structs.replace(
                version, valid_from_us=_since(price, now_us, is_known=is_known)
            )
        mine = recorded.setdefault(version.key, [])
        timeline = timelines.setdefault(version.key, [])
        if _is_old(price, version, mine, timeline):
            unchanged += 1
            continue
        if proposed or number in at_odds or (disputes and _contradicts(version, timelines)):
            version = msgspec.structs.replace(
                version, status=Status.PROPOSED.value, active_at_us=None
            )
        else:
            lay_over(timeline, version)
        mine.append(version)
        stated.append(Stated(version, price))
    return Decision(stated, unchanged)


def withdrawal(interval: Interval, source: str, since_us: int, recorded_at_us: int) -> Stated:
    """Return the version that says that from `since_us` to the interval's end there is no price."""
    version = interval.version
    return Stated(
        msgspec.structs.replace(
            version,
            id=new_id(recorded_at_us),
            key=version.key._replace(source=source),
            rate_usd=None,
            quantity_min=None,
            quantity_step=None,
            valid_from_us=max(since_us, interval.start_us),
            valid_to_us=None if interval.end_us == FOREVER_US else interval.end_us,
            recorded_at_us=recorded_at_us,
            status=Status.WITHDRAWN.value,
            active_at_us=recorded_at_us,
        ),
        None,
    )


def by_hand_over(
    version: Version, timelines: Timelines, reason: str | None, recorded_at_us: int
) -> Stated | None:
    """Return the statement by hand that lets an accepted price hold; None where it holds already.

    What lists of a higher rank say of its time would hide it. Where the configuration file prices
    the model, that stays.
    """
    start, end = window(version)
    order = list(Source)
    higher = {one.value for one in order[order.index(Source(version.key.source)) + 1 :]}
    others = [
        (key, interval.version)
        for key, timeline in timelines.items()
        if key.source in higher and key[:2] == version.key[:2]
        for interval in timeline
        if interval.start_us < end and start < interval.end_us
    ]
    if any(key.source == Source.FILE.value and one.rate_usd is not None for key, one in others):
        return None
    if all(key[:4] != version.key[:4] or one.figure == version.figure for key, one in others):
        return None
    price = DeclaredPrice(
        provider=version.key.provider,
        model=version.key.model,
        unit=version.key.unit,
        rate_usd=Decimal(version.rate_usd or 0),
        per=version.per,
        comment=f"as proposed in {version.id}" + (f": {reason}" if reason else ""),
    )
    accepted = msgspec.structs.replace(
        version,
        id=new_id(recorded_at_us),
        key=version.key._replace(source=Source.OPERATOR.value),
        recorded_at_us=recorded_at_us,
        status=Status.ACTIVE.value,
        active_at_us=recorded_at_us,
    )
    return Stated(accepted, price)


def differ(one: Version, other: Version) -> bool:
    """Return whether two prices are further apart than DISPUTE_SHARE of the second."""
    if one.rate_usd is None or other.rate_usd is None:
        return False
    mine, theirs = (Fraction(version.rate_usd or 0) / version.per for version in (one, other))
    return abs(mine - theirs) > theirs * DISPUTE_SHARE


def _version(price: DeclaredPrice, source: Source, recorded_at_us: int) -> Version:
    text = rules.canonical("conditions", price.conditions)
    return Version(
        id=new_id(recorded_at_us),
        key=Key(price.provider, price.model, price.unit, text, source.value),
        rate_usd=decimal_text(price.rate_usd),
        per=price.per,
        quantity_min=price.quantity_min,
        quantity_step=price.quantity_step,
        valid_from_us=price.valid_from_us or FOREVER_AGO_US,
        valid_to_us=price.valid_to_us,
        recorded_at_us=recorded_at_us,
        status=Status.ACTIVE.value,
        active_at_us=recorded_at_us,
    )


def _since(price: DeclaredPrice, now_us: int, *, is_known: bool) -> int:
    """Return when a price without a beginning begins: now, unless that says nothing."""
    if not is_known or (price.valid_to_us is not None and price.valid_to_us <= now_us):
        return FOREVER_AGO_US
    return now_us


def _is_old(
    price: DeclaredPrice, version: Version, mine: Iterable[Version], timeline: list[Interval]
) -> bool:
    """Return whether the source has said this before, and nothing else since."""
    start, end = window(version)
    if says(timeline, start, end, version):
        return True
    if version.key.source in BY_HAND:
        return False
    # Proposed, rejected and withdrawn prices are in no timeline. They do not come back.
    before = [
        other
        for other in mine
        if other.rate_usd is not None
        and other.valid_to_us == version.valid_to_us
        and (price.valid_from_us is None or other.valid_from_us == version.valid_from_us)
    ]
    last_us = max((other.recorded_at_us for other in before), default=0)
    return any(
        other.recorded_at_us == last_us and other.figure == version.figure for other in before
    )


def _contradicts(version: Version, timelines: Timelines) -> bool:
    """Return whether another source's price for some of the same time differs too much.

    The configuration's prices are agreed upon, and no statement about what is listed.
    """
    start, end = window(version)
    for source in Source:
        if source.value in {version.key.source, Source.FILE.value}:
            continue
        for begin, until, other in timelines.get(version.key._replace(source=source.value), ()):
            if begin < end and start < until and differ(version, other):
                return True
    return False


def _at_odds(prices: Sequence[DeclaredPrice], source: Source, *, disputes: bool) -> frozenset[int]:
    """Return the places of statements that contradict another one of the same call.

    Raises ConfigurationError for them where nothing can be proposed.
    """
    by_key: dict[Key, list[tuple[int, Version]]] = {}
    for number, price in enumerate(prices):
        version = _version(price, source, 0)
        by_key.setdefault(version.key, []).append((number, version))
    found: set[int] = set()
    for same in by_key.values():
        same.sort(key=lambda one: one[1].valid_from_us)
        for place, (number, version) in enumerate(same):
            for other_number, other in same[place + 1 :]:
                if other.valid_from_us >= window(version)[1]:
                    break
                if (version.figure, window(version)) == (other.figure, window(other)):
                    continue
                if not disputes:
                    key = version.key
                    raise ConfigurationError(
                        f"price {key.provider}/{key.model}: {key.unit} {key.conditions}: "
                        "stated twice for the same time"
                    )
                found |= {number, other_number}
    return frozenset(found)


def _check_patterns(prices: Sequence[DeclaredPrice], versions: Sequence[Version]) -> None:
    """Refuse a pattern that is as sharp as another one and can match the same name."""
    known: dict[tuple[str, int], set[str]] = {}
    for version in versions:
        if kind_of(version.key.model) is Kind.PATTERN:
            rank = (version.key.provider, literals(version.key.model))
            known.setdefault(rank, set()).add(version.key.model)
    for price in prices:
        if kind_of(price.model) is not Kind.PATTERN:
            continue
        others = known.setdefault((price.provider, literals(price.model)), set())
        for other in sorted(others - {price.model}):
            if can_meet(other, price.model):
                raise ConfigurationError(
                    f"price {price.provider}/{price.model}: model: {other!r} is as sharp a "
                    "pattern, and a name could match both"
                )
        others.add(price.model)


def _by_key(versions: Iterable[Version]) -> dict[Key, list[Version]]:
    found: dict[Key, list[Version]] = {}
    for version in versions:
        found.setdefault(version.key, []).append(version)
    return found


def holding_at(timelines: Mapping[Key, Sequence[Interval]], at_us: int) -> list[Interval]:
    """Return the intervals of all keys that hold at an instant."""
    return [
        interval
        for timeline in timelines.values()
        for interval in timeline
        if interval.start_us <= at_us < interval.end_us
    ]
