"""Which prices hold for a model of a provider at an instant?

Built from all intervals, then only read. Most models of a catalogue are never asked for: their
rows stay packed, and their tariffs are made when they first are. At any instant a unit of a model
has, under given conditions, exactly one price or none.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tollbridge.rating.matchers import Kind, kind_of, literals, matches
from tollbridge.rating.prices import AliasRow, PricePart, PriceRow, Source
from tollbridge.rating.tariff import Tariff, TariffBuilder

RANK: Mapping[str, int] = {source.value: rank for rank, source in enumerate(Source)}
FILE_RANK = RANK[Source.FILE.value]
NAMES_MAX = 20_000
"""Names whose way to a tariff is remembered; a caller could ask for any number."""

ModelKey = tuple[str, str]
Packed = bytes


class Timeline(msgspec.Struct, frozen=True, gc=False):
    """The tariffs of one model: tariff i holds from start i until before start i + 1."""

    starts: tuple[int, ...]
    tariffs: tuple[Tariff | None, ...]

    def at(self, at_us: int) -> Tariff | None:
        """Return the tariff of an instant."""
        place = bisect_right(self.starts, at_us)
        return self.tariffs[place - 1] if place else None


class _Names(msgspec.Struct, frozen=True):
    """By which other names and patterns one provider's models are known; all in lower case."""

    aliases: dict[str, str] = {}
    prefixes: dict[str, list[str]] = {}
    patterns: list[tuple[str, str]] = []
    alias_prefixes: dict[str, list[str]] = {}
    alias_patterns: list[tuple[str, str]] = []


class PriceBook:
    """All prices, by provider and model."""

    def __init__(self, part: PricePart) -> None:
        """Build the book. Raises ConfigurationError, naming the row, for a price that is none."""
        self._build = TariffBuilder()
        rows_of: dict[ModelKey, list[PriceRow]] = {}
        for row in part.rows:
            self._build.check(row)
            rows_of.setdefault((row.provider, row.model), []).append(row)
        pack = msgspec.msgpack.Encoder().encode
        self._packed = {key: pack([_pack(row) for row in rows]) for key, rows in rows_of.items()}
        self._names = _names(self._packed, part.aliases)
        self._timelines: dict[ModelKey, Timeline] = {}
        # For each name that was asked for: the models it may be, sharpest first; of those that
        # stand together only one may have a price.
        self._found: dict[ModelKey, tuple[tuple[Timeline, ...], ...]] = {}
        self._ways: dict[tuple[str, tuple[str, ...]], tuple[Timeline, ...] | None] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def find(self, provider: str, model: str, at_us: int) -> Tariff | None:
        """Return the prices of that provider's model at that instant; None where there is none.

        Its own name, then another name of it, the longest prefix, the sharpest pattern. A price of
        another provider is never used instead, nor one of two that have the same claim.
        """
        ranks = self._found.get((provider, model))
        if ranks is None:
            ranks = self._look_up(provider, model)
        for timelines in ranks:
            tariffs = [one for timeline in timelines if (one := timeline.at(at_us)) is not None]
            if tariffs:
                return tariffs[0] if len(tariffs) == 1 else None
        return None

    def find_first(self, provider: str, models: tuple[str, ...], at_us: int) -> Tariff | None:
        """Return the prices of the first of these names that has any at that instant."""
        try:
            way = self._ways[provider, models]
        except KeyError:
            way = self._way(provider, models)
        if way is not None:
            for timeline in way:
                # As `Timeline.at`, without the call: this is on each call's way.
                place = bisect_right(timeline.starts, at_us)
                tariff = timeline.tariffs[place - 1] if place else None
                if tariff is not None:
                    return tariff
            return None
        for model in models:
            tariff = self.find(provider, model, at_us)
            if tariff is not None:
                return tariff
        return None

    def is_ambiguous(self, provider: str, model: str, at_us: int) -> bool:
        """Return whether a name has no price because two have the same claim to it."""
        if self.find(provider, model, at_us) is not None:
            return False
        return any(
            sum(timeline.at(at_us) is not None for timeline in timelines) > 1
            for timelines in self._look_up(provider, model)
        )

    def rows_at(self, provider: str, model: str, at_us: int) -> list[PriceRow]:
        """Return the rows behind `find`, each of a unit under its conditions; none has no rate."""
        wanted = self.find(provider, model, at_us)
        if wanted is None:
            return []
        for keys in self._candidates(provider, model):
            for key in keys:
                if self._timeline(key).at(at_us) is wanted:
                    return _effective(self._rows(key), at_us)
        return []

    def _way(self, provider: str, models: tuple[str, ...]) -> tuple[Timeline, ...] | None:
        """Return what names may be, one after the other; None where two may stand together."""
        ranks = [rank for model in models for rank in self._look_up(provider, model)]
        way = None
        if all(len(timelines) == 1 for timelines in ranks):
            way = tuple(timelines[0] for timelines in ranks)
        if len(self._ways) >= NAMES_MAX:
            self._ways.clear()
        self._ways[provider, models] = way
        return way

    def _look_up(self, provider: str, model: str) -> tuple[tuple[Timeline, ...], ...]:
        if len(self._found) >= NAMES_MAX:
            self._found.clear()
        ranks = tuple(
            tuple(self._timeline(key) for key in keys) for keys in self._candidates(provider, model)
        )
        return self._found.setdefault((provider, model), ranks)

    def _candidates(self, provider: str, model: str) -> list[list[ModelKey]]:
        """Return the models that a name may be, sharpest first; equal ones stand together."""
        ranks: list[list[str]] = [[model]]
        names = self._names.get(provider)
        if names is not None:
            lower = model.lower()
            if lower in names.aliases:
                ranks.append([names.aliases[lower]])
            ranks += _by_prefix(model, lower, names)
            ranks += _by_pattern(model, lower, names)
        # A matcher is no name: nobody may ask for "gpt-*" and get its price.
        if kind_of(model) is not Kind.NAME:
            ranks = ranks[1:]
        found = [
            [(provider, one) for one in rank if (provider, one) in self._packed] for rank in ranks
        ]
        return [keys for keys in found if keys]

    def _timeline(self, key: ModelKey) -> Timeline:
        timeline = self._timelines.get(key)
        if timeline is None:
            timeline = self._timelines[key] = self._timeline_of(self._rows(key))
        return timeline

    def _timeline_of(self, rows: Sequence[PriceRow]) -> Timeline:
        borders = {row.valid_from_us for row in rows}
        borders.update(row.valid_to_us for row in rows if row.valid_to_us is not None)
        starts = sorted(borders)
        tariffs = [self._build.tariff(_effective(rows, at)) for at in starts]
        return Timeline(tuple(starts), tuple(tariffs))

    def _rows(self, key: ModelKey) -> list[PriceRow]:
        provider, model = key
        return [
            PriceRow(version_id, provider, model, *rest)
            for version_id, *rest in msgspec.msgpack.decode(self._packed[key])
        ]


def _pack(row: PriceRow) -> tuple[Any, ...]:
    return (
        row.id,
        row.unit,
        row.rate_usd,
        row.per,
        row.valid_from_us,
        row.valid_to_us,
        row.source,
        row.conditions,
        row.quantity_min,
        row.quantity_step,
    )


def _names(models: Iterable[ModelKey], aliases: Iterable[AliasRow]) -> dict[str, _Names]:
    found: dict[str, _Names] = {}

    def of(provider: str) -> _Names:
        return found.setdefault(provider, _Names({}, {}, [], {}, []))

    for provider, model in models:
        kind = kind_of(model)
        if kind is Kind.PREFIX:
            of(provider).prefixes.setdefault(model[:-1], []).append(model)
        elif kind is Kind.PATTERN:
            of(provider).patterns.append((model, model))
    for row in aliases:
        kind, alias = kind_of(row.alias), row.alias.lower()
        if kind is Kind.NAME:
            of(row.provider).aliases[alias] = row.model
        elif kind is Kind.PREFIX:
            same = of(row.provider).alias_prefixes.setdefault(alias[:-1], [])
            same[:] = [row.model]
        else:
            of(row.provider).alias_patterns.append((alias, row.model))
    return found


def _by_prefix(model: str, lower: str, names: _Names) -> list[list[str]]:
    ranks: list[list[str]] = []
    for length in range(len(model), 0, -1):
        same = [
            *names.prefixes.get(model[:length], ()),
            *names.alias_prefixes.get(lower[:length], ()),
        ]
        if same:
            ranks.append(list(dict.fromkeys(same)))
    return ranks


def _by_pattern(model: str, lower: str, names: _Names) -> list[list[str]]:
    ranks: dict[int, dict[str, None]] = {}
    for name, patterns in ((model, names.patterns), (lower, names.alias_patterns)):
        for pattern, target in patterns:
            if matches(pattern, name):
                ranks.setdefault(literals(pattern), {})[target] = None
    return [list(ranks[count]) for count in sorted(ranks, reverse=True)]


def _effective(rows: Iterable[PriceRow], at_us: int) -> list[PriceRow]:
    """Return the rows that price one model at an instant, one of each unit and conditions.

    The highest source that says something of a unit under the same conditions has the word, also
    where it says that there is no price. What the configuration file states is a tariff agreed
    upon: it is never mixed with the list price of a part that it does not mention.
    """
    holding = [
        row
        for row in rows
        if row.valid_from_us <= at_us and (row.valid_to_us is None or at_us < row.valid_to_us)
    ]
    if any(row.source == Source.FILE.value and row.rate_usd is not None for row in holding):
        holding = [row for row in holding if RANK.get(row.source, -1) >= FILE_RANK]
    best: dict[tuple[str, str], PriceRow] = {}
    for row in holding:
        other = best.get((row.unit, row.conditions))
        if other is None or RANK.get(other.source, -1) < RANK.get(row.source, -1):
            best[row.unit, row.conditions] = row
    return [row for row in best.values() if row.rate_usd is not None]
