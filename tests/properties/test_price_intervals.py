"""What must hold of the intervals of prices, whatever was stated in which order."""

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.rating.book import PriceBook
from tollbridge.rating.intervals import (
    FOREVER_US,
    Key,
    Timelines,
    Version,
    derive,
    is_kept,
    key_id,
    lay_over,
    says,
    window,
)
from tollbridge.rating.prices import PricePart, PriceRow

SOURCES = ("seed", "import", "sync", "file", "operator")


@st.composite
def a_version(draw: st.DrawFn) -> Version:
    number = draw(st.integers(1, 10**9))
    unit = draw(st.sampled_from(["input", "output"]))
    since_us, length_us = draw(st.integers(0, 20)), draw(st.none() | st.integers(1, 20))
    is_proposed = draw(st.booleans())
    return Version(
        id=str(number),
        key=Key("p", "m", unit, "", draw(st.sampled_from(SOURCES))),
        rate_usd=draw(st.none() | st.just(str(number % 1000))),
        per=1_000_000,
        quantity_min=None,
        quantity_step=None,
        valid_from_us=since_us,
        valid_to_us=None if length_us is None else since_us + length_us,
        recorded_at_us=draw(st.integers(0, 5)),
        status="proposed" if is_proposed else "active",
        active_at_us=None if is_proposed else draw(st.integers(0, 5)),
    )


VERSIONS = st.lists(a_version(), max_size=12, unique_by=lambda version: version.id)


def holding(versions: list[Version], key: Key, at_us: int) -> Version | None:
    """Return the version that holds, said again as plainly as can be."""
    mine = [
        version
        for version in versions
        if version.key == key
        and version.active_at_us is not None
        and window(version)[0] <= at_us < window(version)[1]
    ]
    order = sorted(
        mine,
        key=lambda one: (one.active_at_us, one.recorded_at_us, one.valid_from_us, one.id),
    )
    return order[-1] if order else None


@given(versions=VERSIONS)
@settings(deadline=None)
def test_at_any_instant_of_a_key_exactly_one_version_holds_or_none(versions: list[Version]) -> None:
    timelines = derive(versions)
    for key in {version.key for version in versions}:
        timeline = timelines.get(key, [])
        for one, following in pairwise(timeline):
            assert one.end_us <= following.start_us
        assert all(one.start_us < one.end_us for one in timeline)
        for at_us in range(45):
            found = [one.version for one in timeline if one.start_us <= at_us < one.end_us]
            expected = holding(versions, key, at_us)
            assert found == ([] if expected is None else [expected])


@given(versions=VERSIONS, data=st.data())
@settings(deadline=None)
def test_the_order_in_which_versions_are_read_does_not_matter(
    versions: list[Version], data: st.DataObject
) -> None:
    assert derive(data.draw(st.permutations(versions))) == derive(versions)


@given(versions=VERSIONS, new=a_version())
@settings(deadline=None)
def test_a_new_version_changes_nothing_outside_of_its_time(
    versions: list[Version], new: Version
) -> None:
    before = derive(versions).get(new.key, [])
    after = list(before)
    lay_over(after, new)
    start_us, end_us = window(new)
    assert says(after, start_us, end_us, new)
    for at_us in range(45):
        if not start_us <= at_us < end_us:
            assert [one.version for one in before if one.start_us <= at_us < one.end_us] == [
                one.version for one in after if one.start_us <= at_us < one.end_us
            ]


def a_book(timelines: Timelines) -> PriceBook:
    rows = [
        PriceRow(
            id=one.version.id,
            provider=key.provider,
            model=key.model,
            unit=key.unit,
            rate_usd=one.version.rate_usd,
            per=one.version.per,
            valid_from_us=one.start_us,
            valid_to_us=None if one.end_us == FOREVER_US else one.end_us,
            source=key.source,
        )
        for key, timeline in timelines.items()
        for one in filter(is_kept, timeline)
    ]
    return PriceBook(PricePart(rows))


def expected_of(versions: list[Version], at_us: int) -> dict[str, str]:
    """Return version ids by unit by the ranks of the sources, said again plainly."""
    held = {
        (unit, source): holding(versions, Key("p", "m", unit, "", source), at_us)
        for unit in ("input", "output")
        for source in SOURCES
    }
    priced = {place: one for place, one in held.items() if one and one.rate_usd is not None}
    is_negotiated = any(source == "file" for _, source in priced)
    found: dict[str, str] = {}
    for unit in ("input", "output"):
        for source in reversed(SOURCES):
            if is_negotiated and source not in {"file", "operator"}:
                continue
            one = held[unit, source]
            if one is None or (source == "file" and one.rate_usd is None):
                continue
            if one.rate_usd is not None:
                found[unit] = one.id
            break
    return found


@given(versions=VERSIONS)
@settings(deadline=None)
def test_a_look_up_is_total_over_time_one_price_of_a_unit_or_none(versions: list[Version]) -> None:
    book = a_book(derive(versions))
    for at_us in range(-1, 45):
        tariff = book.find("p", "m", at_us)
        found = {} if tariff is None else {u: p.version_id for u, p in tariff.prices.items()}
        assert found == expected_of(versions, at_us)
        rows = {row.unit: row.id for row in book.rows_at("p", "m", at_us)}
        assert rows == found


@given(part=st.lists(st.text(max_size=5), min_size=5, max_size=5))
def test_a_key_has_a_number_that_fits_a_range_of_the_database(part: list[str]) -> None:
    assert 0 <= key_id(Key(*part)) < 2**62


def test_keys_that_differ_anywhere_have_different_numbers() -> None:
    key = Key("p", "m", "input", "", "seed")
    others = [key._replace(**{field: "x"}) for field in Key._fields]
    assert len({key_id(one) for one in [key, *others]}) == 6


def test_what_travels_to_a_worker_is_the_same_book() -> None:
    row = PriceRow("i", "p", "m", "input", "1", 10**6, 0, None, "seed", '{"size":"s"}', 2, 3)
    part = PricePart([row])
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=PricePart)
    assert travelled == part
    assert PriceBook(travelled).rows_at("p", "m", 5) == [row]
