"""What does our own research of prices say, row by row?

`catalogue/media_prices.csv` has what vendors and other lists said on a date. Each row becomes a
price, a proposal that waits for somebody's word, or is left out with a reason; none is lost. Of
rows that differ only in their date the younger holds from its date on, the older before. Of rows
of one date the better source holds ([R] a recorded charge, [D] the vendor, [T] somebody's list),
and the other is a proposal. What is from memory [M] is one anyway.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from importlib import resources
from types import MappingProxyType

import msgspec

from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import UPSTREAM, Unit
from tollbridge.rating.conditions import HOURS
from tollbridge.rating.prices import FOREVER_AGO_US, DeclaredPrice, read_rate
from tollbridge.rating.seed import seed_prices
from tollbridge.rating.sources.media_conditions import DURATION, Remark, read_remark
from tollbridge.rating.sources.reading import (
    Reading,
    Resolve,
    Skipped,
    SourceModel,
    conditions_of,
    content_hash,
)
from tollbridge.rating.unit_names import FILE_NAMES, HOUR_MS, MEDIA_NAMES, Priced, why_skipped

FILE = "media_prices.csv"
DETAIL = f"{FILE} 2026-11"
TRUST = ("[R]", "[D]", "[T]", "[M]")
"""The marks of sources, the best first."""
MEMORY = TRUST[-1]
TOOL = "tool"
IMPORTED, PROPOSED, SKIPPED = "imported", "proposed", "skipped"

# Names of the price lists that say more than the model: what the API calls it, and the rest.
SPLIT: Mapping[str, Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "kling": {
            " std": {"mode": "std"},
            " pro": {"mode": "pro"},
            " 4k": {"mode": "4k"},
            " image": {},
        },
        "ideogram": {
            " default": {},
            " turbo": {"rendering_speed": "turbo"},
            " quality": {"rendering_speed": "quality"},
            " default + character reference": {"character_reference": "true"},
            " turbo + character reference": {
                "character_reference": "true",
                "rendering_speed": "turbo",
            },
            " quality + character reference": {
                "character_reference": "true",
                "rendering_speed": "quality",
            },
        },
        "aws": {" neural": {"engine": "neural"}, " standard": {"engine": "standard"}},
    }
)
POLLY = "polly"
# What a category of the file makes; what stands here in no way makes no model of the catalogue.
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "chat": "text",
        "embedding": "embedding",
        "image": "image",
        "image_edit": "image",
        "music": "audio",
        "rerank": "rerank",
        "stt": "audio",
        "tts": "audio",
        "video": "video",
    }
)


class MediaRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the file, with its line."""

    line: int
    provider: str
    model: str
    category: str
    unit: str
    usd_per_unit: str
    conditions: str
    as_of: str
    source: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of one row."""

    line: int
    became: str
    """imported, proposed or skipped."""
    reason: str = ""


class MediaReading(msgspec.Struct, frozen=True):
    """The statements of the file, and what became of each of its rows."""

    reading: Reading
    outcomes: tuple[Outcome, ...]


class _Stated(msgspec.Struct, frozen=True):
    """One statement on its way: of which line, how sure."""

    line: int
    price: DeclaredPrice
    trust: int
    doubt: str

    @property
    def key(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        return _place(self.price)


def read_media(resolve: Resolve, text: str | None = None) -> MediaReading:
    """Return what the file says; `text` may stand in for the one that comes with the program.

    Raises ConfigurationError, naming the line, for a row that cannot be read.
    """
    if text is None:
        text = (resources.files("tollbridge.rating") / "catalogue" / FILE).read_text("utf-8")
    stated: list[_Stated] = []
    outcomes: dict[int, Outcome] = {}
    skipped: list[Skipped] = []
    models: dict[tuple[str, str], SourceModel] = {}
    for row in _rows(text):
        remark = read_remark(row.conditions)
        reason = _why_skipped(row, remark, resolve)
        if reason is None:
            mine = list(_statements(row, remark, resolve))
            stated += mine
            if row.category in TYPES and not mine[0].doubt:
                price = mine[0].price
                models.setdefault(
                    (price.provider, price.model),
                    SourceModel(
                        provider=price.provider,
                        name=price.model,
                        display_name=price.model,
                        model_type=TYPES[row.category],
                    ),
                )
        else:
            outcomes[row.line] = Outcome(row.line, SKIPPED, reason)
            skipped.append(Skipped(row.provider, row.model, reason))
    for one in stated:
        outcomes[one.line] = Outcome(one.line, IMPORTED, "another row says the same")
    prices, proposals = _in_time(stated)
    for one in (*proposals, *prices):  # a row with any price is imported
        became = PROPOSED if one.doubt else IMPORTED
        outcomes[one.line] = Outcome(one.line, became, one.doubt)
    reading = Reading(
        detail=DETAIL,
        prices=tuple(one.price for one in prices),
        proposals=tuple(one.price for one in proposals),
        models=tuple(models.values()),
        skipped=tuple(skipped),
    )
    return MediaReading(reading, tuple(outcomes[line] for line in sorted(outcomes)))


def seed_with_media(resolve: Resolve) -> list[DeclaredPrice]:
    """Return the catalogue that comes with the program, and what the research adds to it."""
    seeds = seed_prices()
    stated = {_place(price) for price in seeds}
    media = read_media(resolve).reading.prices
    return [*seeds, *(price for price in media if _place(price) not in stated)]


def _place(price: DeclaredPrice) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    return price.provider, price.model, price.unit, tuple(price.conditions.items())


def _rows(text: str) -> Iterator[MediaRow]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        for row in reader:
            yield msgspec.convert({**row, "line": reader.line_num}, MediaRow)
    except (csv.Error, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{FILE} line {reader.line_num}: {error}") from error


def _why_skipped(row: MediaRow, remark: Remark, resolve: Resolve) -> str | None:
    if remark.skip is not None:
        return remark.skip
    if row.category == TOOL:
        return "the price of a tool, not of a model"
    if "(" in row.model:
        return "no model is named"
    if resolve(row.provider) is None:
        return "no such provider in providers.toml"
    if _unit(row.unit) is None:
        return why_skipped(row.unit) or f"an unknown unit: {row.unit}"
    return None


def _unit(name: str) -> Priced | None:
    return MEDIA_NAMES.get(name) or FILE_NAMES.get(name)


def _statements(row: MediaRow, remark: Remark, resolve: Resolve) -> Iterator[_Stated]:
    """Yield the statements of a row: one, or one for each of the conditions that it names."""
    where = f"{FILE} line {row.line}"
    serving, priced = resolve(row.provider), _unit(row.unit)
    if serving is None or priced is None:
        raise ConfigurationError(f"{where}: neither provider nor unit may be unknown here")
    rate = read_rate(f"{where}: usd_per_unit", row.usd_per_unit)
    if remark.hourly_usd is not None and priced.unit == Unit.AUDIO_MS:
        # The figure per second is this one, rounded.
        rate, priced = remark.hourly_usd, Priced(priced.unit, HOUR_MS)
    provider, model, facts = _name(row, serving.provider)
    facts |= remark.facts
    if serving.upstream is not None:
        facts[UPSTREAM] = serving.upstream
    as_of = _day(where, row.as_of)
    since = None if remark.since is None else _midnight_us(remark.since)
    doubt = _doubt(row, remark)
    cases = [(facts, rate)]
    if remark.either is not None:
        key, values = remark.either
        cases = [({**facts, key: value}, rate) for value in values]
    cases += [({**facts, key: value}, other) for key, value, other in remark.others]
    for conditions, usd in cases:
        yield _Stated(
            row.line,
            DeclaredPrice(
                provider=provider,
                model=model,
                unit=priced.unit,
                rate_usd=usd,
                per=priced.per,
                conditions=conditions_of(conditions.items()),
                quantity_step=remark.quantity_step,
                valid_from_us=since,
                reference=row.source,
                as_of=as_of,
                source_detail=DETAIL,
                content_hash=content_hash(*msgspec.structs.astuple(row)[1:]),
                comment=_comment(row, doubt),
            ),
            _trust(row.source),
            doubt,
        )


def _name(row: MediaRow, provider: str) -> tuple[str, str, dict[str, str]]:
    """Return provider, model and facts of a row, as the provider's API names them."""
    for ending, facts in SPLIT.get(row.provider, {}).items():
        model = row.model.removesuffix(ending)
        if model != row.model and " " not in model:
            return (f"aws-{POLLY}" if model == POLLY else provider), model, dict(facts)
    return provider, row.model, {}


def _comment(row: MediaRow, doubt: str) -> str | None:
    """Return the row's own remark, and a doubt that does not stand in it."""
    doubts = [one for one in doubt.split("; ") if one not in row.conditions]
    return "; ".join(filter(None, (row.conditions, *doubts))) or None


def _doubt(row: MediaRow, remark: Remark) -> str:
    doubts = list(remark.doubts)
    if row.source.endswith(MEMORY):
        doubts.append("from memory")
    if row.unit == Unit.VIDEO and DURATION not in remark.facts:
        doubts.append("the length of the clip is not said")
    return "; ".join(doubts)


def _trust(source: str) -> int:
    marks = [rank for rank, mark in enumerate(TRUST) if source.endswith(mark)]
    return marks[0] if marks else len(TRUST)


def _in_time(stated: Iterable[_Stated]) -> tuple[list[_Stated], list[_Stated]]:
    """Return the statements that hold, each in its time, and those that need somebody's word."""
    prices: list[_Stated] = []
    proposals: list[_Stated] = []
    by_key: dict[object, list[_Stated]] = {}
    for one in stated:
        if one.doubt:
            proposals.append(_from(one, None))
        else:
            by_key.setdefault(one.key, []).append(one)
    for rows in by_key.values():
        held, others = _by_date(rows)
        until = _hours_end(rows[0], by_key)
        prices += _chained(held, until)
        proposals += others
    return prices, proposals


def _by_date(rows: Iterable[_Stated]) -> tuple[list[_Stated], list[_Stated]]:
    """Return the rows of one key by date, the best of each, and those that disagree with it."""
    held: dict[date, _Stated] = {}
    others: list[_Stated] = []
    for one in sorted(rows, key=lambda one: (_as_of(one), one.trust, one.line)):
        best = held.setdefault(_as_of(one), one)
        if best is not one and _usd(best) != _usd(one):
            doubt = f"line {best.line} of the same date says {best.price.rate_usd}"
            others.append(_from(msgspec.structs.replace(one, doubt=doubt), None))
        elif best is not one:
            held[_as_of(one)] = best
    return list(held.values()), others


def _chained(held: list[_Stated], until_us: int | None) -> Iterator[_Stated]:
    """Yield the rows of one key, each until the next that says something else."""
    kept: list[_Stated] = []
    for one in held:
        if not kept or _usd(kept[-1]) != _usd(one):
            kept.append(one)
    starts = [FOREVER_AGO_US, *(_midnight_us(_as_of(one)) for one in kept[1:])]
    ends = [*starts[1:], until_us]
    for one, start, end in zip(kept, starts, ends, strict=True):
        price = msgspec.structs.replace(one.price, valid_from_us=start, valid_to_us=end)
        yield msgspec.structs.replace(one, price=price)


def _hours_end(one: _Stated, by_key: Mapping[object, list[_Stated]]) -> int | None:
    """Return when the hours of a tariff end: with the first later list that knows of none."""
    provider, model, unit, facts = one.key
    if HOURS not in dict(facts):
        return None
    plain = (provider, model, unit, tuple(fact for fact in facts if fact[0] != HOURS))
    later = [_as_of(row) for row in by_key.get(plain, ()) if _as_of(row) > _as_of(one)]
    return _midnight_us(min(later)) if later else None


def _from(one: _Stated, until_us: int | None) -> _Stated:
    """Return a proposal, in force from the day that it names or was seen."""
    since_us = one.price.valid_from_us
    if since_us is None:
        since_us = _midnight_us(_as_of(one))
    price = msgspec.structs.replace(one.price, valid_from_us=since_us, valid_to_us=until_us)
    return msgspec.structs.replace(one, price=price)


def _usd(one: _Stated) -> tuple[object, int]:
    return one.price.rate_usd, one.price.per


def _as_of(one: _Stated) -> date:
    return one.price.as_of or date.min


def _day(where: str, text: str) -> date:
    """Return the first day of a year, a month or a day."""
    try:
        return date.fromisoformat((text + "-01-01")[: len("2026-11-01")])
    except ValueError as error:
        raise ConfigurationError(f"{where}: as_of: {error}") from error


def _midnight_us(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))
