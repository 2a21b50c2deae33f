"""What does genai-prices say, as price statements of ours?

It is read once per sync and never asked for the price of a call. Its rules, and what they become:

- of a list of dated prices the last that holds is taken whole: from each date on, until the next,
  a statement for each unit; a unit that the next does not name has no price from then on;
- hours of a day that outrank the rest become the conditions `hours` and `zone`;
- tiers (all tokens at the rate of the highest tier whose start the input exceeds): `input_above`;
- variants for a request's context: its keys are facts, of equal names and values. Where two
  variants hold at once the first listed wins: the pair is stated as a price of its own;
- `huggingface_groq` and its like: provider huggingface, condition `upstream`;
- a list that a provider falls back to is not carried: that would be another provider's price.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from itertools import pairwise

from genai_prices import types as genai
from genai_prices.data import providers as bundled

from tollbridge.core.clock import to_us
from tollbridge.core.usage import UPSTREAM, Unit
from tollbridge.rating.prices import (
    COMMENT_MAX,
    FOREVER_AGO_US,
    NAME_MAX,
    RATE_USD_STEP,
    REFERENCE_MAX,
    DeclaredAlias,
    DeclaredPrice,
)
from tollbridge.rating.sources.clauses import ANY, matchers_of
from tollbridge.rating.sources.reading import (
    Reading,
    Resolve,
    Skipped,
    SourceModel,
    conditions_of,
    content_hash,
)
from tollbridge.rating.unit_names import GENAI_NAMES, why_skipped

PACKAGE = "genai-prices"
EDITION = f"{PACKAGE} {version(PACKAGE)}"
FREE = ":free"
"""How OpenRouter and others mark what is given away; without a mark, no price is not free."""
MINIMUM_OF: Mapping[tuple[str, str, str], int] = {
    # The package's own code bills Groq's whisper for ten seconds at least.
    ("groq", "whisper-large-v3", Unit.AUDIO_MS): 10_000,
    ("groq", "whisper-large-v3-turbo", Unit.AUDIO_MS): 10_000,
}
DESCRIPTION_MAX = 1000
AUDIO, INPUT_AUDIO = "audio_hours", "input_audio_hours"

Facts = tuple[tuple[str, str], ...]
Key = tuple[str, int, Facts]
"""Unit, per, conditions."""
Dated = genai.ConditionalPrice | genai.PriceVariant


class NotCarriedError(Exception):
    """A price that our statements cannot say; its text is the reason."""


def read_genai(resolve: Resolve, providers: Sequence[genai.Provider] | None = None) -> Reading:
    """Return all that the package says; `providers` may stand in for its own data."""
    reader = _Reader(resolve)
    listed = bundled if providers is None else providers
    for provider in listed:
        reader.claim(provider)
    for provider in listed:
        reader.read(provider)
    return Reading(
        detail=EDITION,
        prices=tuple(reader.prices),
        aliases=tuple(reader.aliases[key] for key in sorted(reader.aliases)),
        models=tuple(reader.models.values()),
        skipped=tuple(reader.skipped),
    )


class _Reader:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.prices: list[DeclaredPrice] = []
        self.aliases: dict[tuple[str, str], DeclaredAlias] = {}
        self.models: dict[tuple[str, str], SourceModel] = {}
        self.skipped: list[Skipped] = []

    def claim(self, provider: genai.Provider) -> None:
        """Take the names that are a model's id but for their case: no other model gets them."""
        serving = self._resolve(provider.id)
        for model in provider.models if serving is not None else ():
            for matcher in matchers_of(model.match):
                if serving is not None and matcher.lower() == model.id.lower():
                    self._add_alias(serving.provider, matcher, model.id)

    def read(self, provider: genai.Provider) -> None:
        serving = self._resolve(provider.id)
        if serving is None:
            what = f"{len(provider.models)} models"
            self.skipped.append(Skipped(provider.id, what, "no such provider in providers.toml"))
            return
        facts = () if serving.upstream is None else ((UPSTREAM, serving.upstream),)
        for model in provider.models:
            try:
                rates = dict(_timelines(model))
            except NotCarriedError as error:
                self.skipped.append(Skipped(provider.id, model.id, str(error)))
                continue
            if not rates:
                self.skipped.append(Skipped(provider.id, model.id, "no price is stated"))
                continue
            self._add_aliases(provider, serving.provider, model)
            names = self._names(serving.provider, provider, model)
            for name in names:
                self.prices += _statements(provider, serving.provider, name, model, facts, rates)
            units = {unit for unit, _, _ in rates}
            self.models.setdefault(
                (serving.provider, names[0]), _model(serving.provider, names[0], model, units)
            )

    def _add_aliases(self, provider: genai.Provider, ours: str, model: genai.ModelInfo) -> None:
        for matcher in matchers_of(model.match):
            if len(matcher) > NAME_MAX:
                self.skipped.append(Skipped(provider.id, matcher[:NAME_MAX], "name too long"))
            else:
                self._add_alias(ours, matcher, model.id)

    def _add_alias(self, ours: str, matcher: str, model: str) -> None:
        if matcher != model:
            # Of two models that claim a name, the source takes the one that it lists first.
            self.aliases.setdefault((ours, matcher), DeclaredAlias(ours, matcher, model))

    def _names(self, ours: str, provider: genai.Provider, model: genai.ModelInfo) -> list[str]:
        """Return the names to state a model's prices under: its id, as a rule.

        Where one of its names is another id of the same aggregator, which this upstream does not
        have, then under that id too.
        """
        others = {other.id for other in provider.models}
        owners = (
            self.aliases[ours, matcher].model
            for matcher in matchers_of(model.match)
            if ANY not in matcher and (ours, matcher) in self.aliases
        )
        return list(dict.fromkeys([model.id, *(one for one in owners if one not in others)]))


def _statements(
    provider: genai.Provider,
    ours: str,
    name: str,
    model: genai.ModelInfo,
    facts: Facts,
    rates: Mapping[Key, Sequence[tuple[int, int | None, Decimal]]],
) -> Iterator[DeclaredPrice]:
    reference = (provider.pricing_urls or [PACKAGE])[0][:REFERENCE_MAX]
    digest = content_hash(provider.id, model.id, model.prices, model.price_variants)
    for (unit, per, conditions), spans in rates.items():
        for since_us, until_us, rate in spans:
            yield DeclaredPrice(
                provider=ours,
                model=name,
                unit=unit,
                rate_usd=rate,
                per=per,
                conditions=conditions_of((*facts, *conditions)),
                quantity_min=MINIMUM_OF.get((provider.id, model.id, unit)),
                valid_from_us=since_us,
                valid_to_us=until_us,
                reference=reference,
                source_detail=EDITION,
                content_hash=digest,
                comment=(model.price_comments or "")[:COMMENT_MAX] or None,
            )


def _timelines(
    model: genai.ModelInfo,
) -> Iterator[tuple[Key, list[tuple[int, int | None, Decimal]]]]:
    """Yield for each unit and conditions of a model its rates, as (from, until, rate)."""
    days = sorted({date.min, *_start_dates(model)})
    stretches = [dict(_rates_on(model, day)) for day in days]
    starts = [FOREVER_AGO_US, *(_midnight_us(day) for day in days[1:])]
    ends: list[int | None] = [*starts[1:], None]
    for key in dict.fromkeys(key for rates in stretches for key in rates):
        spans: list[tuple[int, int | None, Decimal]] = []
        for since_us, until_us, rates in zip(starts, ends, stretches, strict=True):
            rate = rates.get(key)
            if rate is None:
                continue
            if spans and spans[-1][1] == since_us and spans[-1][2] == rate:
                spans[-1] = (spans[-1][0], until_us, rate)
            else:
                spans.append((since_us, until_us, rate))
        yield key, spans


def _start_dates(model: genai.ModelInfo) -> Iterator[date]:
    dated: list[Dated] = list(model.price_variants or ())
    if isinstance(model.prices, list):
        dated += model.prices
    for one in dated:
        if isinstance(one.constraint, genai.StartDateConstraint):
            yield one.constraint.start_date


def _rates_on(model: genai.ModelInfo, day: date) -> Iterator[tuple[Key, Decimal]]:
    """Yield all rates of the stretch of time that begins with a day."""
    base, layers = _layers(model, day)
    free = model.id.endswith(FREE) and not _stated(base)
    yield from _priced(_Free if free else base, ())
    for hours, prices in layers:
        if _stated(prices).keys() != _stated(base).keys():
            raise NotCarriedError("hours with other units than the rest of the day")
        yield from _priced(prices, (("hours", hours),))
    yield from _variant_rates(model, day)


_Free = genai.ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))


def _layers(
    model: genai.ModelInfo, day: date
) -> tuple[genai.ModelPrice, list[tuple[str, genai.ModelPrice]]]:
    """Return what holds on a day, and what outranks it in hours of it."""
    if isinstance(model.prices, genai.ModelPrice):
        return model.prices, []
    hours: list[tuple[str, genai.ModelPrice]] = []
    base = model.prices[0].prices
    for one in reversed(model.prices):
        constraint = one.constraint
        if isinstance(constraint, genai.TimeOfDateConstraint):
            hours.append((_hours(constraint), one.prices))
        elif constraint is None or constraint.start_date <= day:
            base = one.prices
            break
    _require_apart([window for window, _ in hours])
    return base, hours


def _variant_rates(model: genai.ModelInfo, day: date) -> Iterator[tuple[Key, Decimal]]:
    """Yield the rates of each context, and of each two that may hold together."""
    by_facts: dict[Facts, dict[Key, Decimal]] = {}
    for variant in model.price_variants or ():
        if isinstance(variant.constraint, genai.TimeOfDateConstraint):
            raise NotCarriedError("a variant that depends on the hour")
        if variant.constraint is not None and day < variant.constraint.start_date:
            continue
        facts = tuple(sorted(variant.when.items()))
        rates = by_facts.setdefault(facts, {})
        units = {unit for unit, _, _ in rates}
        for key, rate in _priced(variant.prices, facts):
            if key[0] not in units:  # the first listed wins, unit by unit
                rates[key] = rate
    for rates in by_facts.values():
        yield from rates.items()
    yield from _pairs(by_facts)


def _pairs(by_facts: Mapping[Facts, Mapping[Key, Decimal]]) -> Iterator[tuple[Key, Decimal]]:
    listed = list(by_facts.items())
    for place, (first, rates) in enumerate(listed):
        for second, others in listed[place + 1 :]:
            if dict(first).keys() & dict(second).keys():
                continue  # never both
            shared = {unit for unit, _, _ in others}
            added = tuple(sorted((*first, *second)))
            for (unit, per, conditions), rate in rates.items():
                if unit in shared:
                    tier = tuple(one for one in conditions if one not in first)
                    yield (unit, per, tuple(sorted((*added, *tier)))), rate


def _priced(prices: genai.ModelPrice, facts: Facts) -> Iterator[tuple[Key, Decimal]]:
    """Yield the rates of one set of prices, its tiers as conditions."""
    stated = _stated(prices)
    if stated.get(INPUT_AUDIO) == stated.get(AUDIO):
        stated.pop(INPUT_AUDIO, None)  # one unit with us, of whichever side the sound is
    seen: dict[str, genai.TieredPrices | Decimal] = {}
    for price_key, price in stated.items():
        known = GENAI_NAMES.get(price_key)
        if known is None:
            raise NotCarriedError(f"{price_key}: {why_skipped(price_key) or 'an unknown unit'}")
        unit, per = known
        if seen.setdefault(unit, price) != price:
            raise NotCarriedError(f"two prices for {unit}")
        if isinstance(price, Decimal):
            yield (unit, per, facts), _rounded(price)
            continue
        yield (unit, per, facts), _rounded(price.base)
        for tier in price.tiers:
            above = ("input_above", str(tier.start))
            yield (unit, per, tuple(sorted((*facts, above)))), _rounded(tier.price)


def _stated(prices: genai.ModelPrice) -> dict[str, Decimal | genai.TieredPrices]:
    return {key: price for key, price in vars(prices).items() if price is not None}


def _rounded(rate: Decimal) -> Decimal:
    """Return a rate to our finest step: some lists show what floats made of theirs."""
    return rate.quantize(RATE_USD_STEP).normalize()


def _hours(constraint: genai.TimeOfDateConstraint) -> str:
    window = (constraint.start_time, constraint.end_time)
    if any(one.second or one.microsecond for one in window):
        raise NotCarriedError("hours with seconds")
    return "-".join(f"{_in_utc(one):%H:%M}" for one in window)


def _in_utc(at: time) -> time:
    if at.tzinfo is None:
        return at
    return datetime.combine(date(1970, 1, 2), at).astimezone(UTC).time()


def _require_apart(windows: Iterable[str]) -> None:
    """Raise NotCarriedError where two windows overlap: which one counts could not be said."""
    spans: list[tuple[str, str]] = []
    for window in windows:
        start, end = window.split("-")
        spans += [(start, end)] if start < end else [(start, "24:00"), ("00:00", end)]
    for (_, end), (start, _) in pairwise(sorted(spans)):
        if start < end:
            raise NotCarriedError("hours that overlap")


def _midnight_us(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _model(ours: str, name: str, model: genai.ModelInfo, units: set[str]) -> SourceModel:
    return SourceModel(
        provider=ours,
        name=name,
        display_name=(model.name or model.id)[:NAME_MAX],
        model_type=_model_type(name, units),
        description=(model.description or "")[:DESCRIPTION_MAX],
        context_window=model.context_window,
    )


def _model_type(name: str, units: set[str]) -> str:
    """Return what a model makes, as far as its name and what is paid for tell."""
    plain = name.lower()
    if "rerank" in plain:
        return "rerank"
    if "embed" in plain or (plain.startswith("voyage-") and Unit.OUTPUT not in units):
        return "embedding"
    if Unit.VIDEO_OUTPUT in units:
        return "video"
    if Unit.IMAGE_OUTPUT in units or "image" in plain.split("/")[-1].split("-"):
        return "image"
    if Unit.AUDIO_MS in units or Unit.CHARACTER in units or Unit.AUDIO_OUTPUT in units:
        return "audio"
    return "text"
