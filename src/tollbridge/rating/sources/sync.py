"""How do the sources' statements get into the database, and what became of them?

Everything in one unit, provider by provider: first the catalogue that comes with the program and
our own research, then the list that is fetched. What contradicts is proposed, never averaged and
never laid over. The models that are named come into the catalogue, inactive until chosen.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby, islice
from operator import attrgetter

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.rating import model_store, store
from tollbridge.rating.model_fields import new_model
from tollbridge.rating.models import Model
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.rating.sources.media import read_media, seed_with_media
from tollbridge.rating.sources.reading import Reading, Resolve, Skipped, SourceModel
from tollbridge.storage.unit import Unit

ACTOR = "prices sync"
CATALOGUE = "(comes with the program)"
LIST = "tollbridge.rating.sources.genai"
STATEMENTS_AT_ONCE = 10_000
"""Each part costs a look at all that is known of its providers."""

Progress = Callable[[str], None]
"""Called when the statements about a provider have been recorded."""


class Tally(msgspec.Struct):
    """What became of the statements about one provider."""

    added: int = 0
    unchanged: int = 0
    proposed: int = 0
    skipped: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync or an import did."""

    tallies: dict[str, Tally]
    """By our id of the provider; of what was skipped, by the source's where it is not known."""
    aliases_added: int = 0
    models_added: int = 0
    skipped: tuple[Skipped, ...] = ()

    @property
    def changes(self) -> int:
        """How many rows it took; 0 where all of it was known."""
        stated = sum(tally.added + tally.proposed for tally in self.tallies.values())
        return stated + self.aliases_added + self.models_added


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync is going to record, read and checked before any transaction is open."""

    seed: tuple[DeclaredPrice, ...]
    research: Reading
    listed: Reading
    models: tuple[Model, ...]
    skipped: tuple[Skipped, ...]

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers of which prices are listed, in order."""
        return tuple(sorted({price.provider for price in self.listed.prices}))


def read_sources(resolve: Resolve, own_models: Collection[str]) -> Plan:
    """Read all sources. `own_models` are the providers that make the models they serve."""
    research, listed = read_media(resolve).reading, _list_reader()(resolve)
    models, refused = _catalogue_models((*listed.models, *research.models), own_models)
    return Plan(
        seed=tuple(seed_with_media(resolve)),
        research=research,
        listed=listed,
        models=tuple(models),
        skipped=(*research.skipped, *listed.skipped, *refused),
    )


def _list_reader() -> Callable[[Resolve], Reading]:
    """Return `read_genai`, loaded here: its package takes a second, which only a sync is to pay."""
    reader: Callable[[Resolve], Reading] = import_module(LIST).read_genai
    return reader


async def record_sources(
    unit: Unit, plan: Plan, resolve: Resolve, *, now_us: int, progress: Progress
) -> Outcome:
    """Record what was read; what is known already adds nothing."""
    tallies: dict[str, Tally] = {}
    for skipped in plan.skipped:
        serving = resolve(skipped.provider)
        name = skipped.provider if serving is None else serving.provider
        tallies.setdefault(name, Tally()).skipped += 1
    # First: an edit of a model locks the models before the prices too.
    models = await model_store.add_synced(unit, plan.models, actor=ACTOR, now_us=now_us)
    before = Counter(price.provider for price in plan.seed)
    added = await store.seed(unit, now_us, plan.seed)
    tallies[CATALOGUE] = Tally(added=added, unchanged=before.total() - added)
    await _record(unit, plan.research.proposals, Source.SEED, now_us, tallies, proposed=True)
    for provider, prices in _by_provider(plan.listed.prices):
        await _record(unit, prices, Source.SYNC, now_us, tallies)
        progress(provider)
    aliases = await store.record_aliases(unit, plan.listed.aliases, Source.SYNC, now_us)
    return Outcome(
        tallies=tallies, aliases_added=aliases, models_added=models, skipped=plan.skipped
    )


async def record_import(
    unit: Unit, prices: Iterable[DeclaredPrice], *, actor: str, now_us: int
) -> Outcome:
    """Record the prices of a file, a limited number at a time; nothing where one is refused."""
    tallies: dict[str, Tally] = {}
    for part in _parts(prices):
        await _record(unit, part, Source.IMPORT, now_us, tallies, actor=actor)
    return Outcome(tallies=tallies)


async def _record(
    unit: Unit,
    prices: Sequence[DeclaredPrice],
    source: Source,
    now_us: int,
    tallies: dict[str, Tally],
    *,
    actor: str = ACTOR,
    proposed: bool = False,
) -> None:
    for provider, mine in _by_provider(prices):
        recorded = await store.record_versions(
            unit,
            mine,
            source=source,
            actor=actor,
            now_us=now_us,
            disputes=True,
            proposed=proposed,
        )
        tally = tallies.setdefault(provider, Tally())
        tally.added += recorded.added
        tally.unchanged += recorded.unchanged
        tally.proposed += recorded.proposed


def _by_provider(
    prices: Iterable[DeclaredPrice],
) -> Iterator[tuple[str, Sequence[DeclaredPrice]]]:
    provider_of = attrgetter("provider")
    for provider, mine in groupby(sorted(prices, key=provider_of), key=provider_of):
        yield provider, list(mine)


def _parts(prices: Iterable[DeclaredPrice]) -> Iterator[list[DeclaredPrice]]:
    rest = iter(prices)
    while part := list(islice(rest, STATEMENTS_AT_ONCE)):
        yield part


def _catalogue_models(
    found: Iterable[SourceModel], own_models: Collection[str]
) -> tuple[list[Model], list[Skipped]]:
    """Return the models for the catalogue, one of each name, and why others are not there.

    A name that several providers serve is its maker's; else the first provider's by name.
    """
    best: dict[str, SourceModel] = {}
    refused: list[Skipped] = []
    for one in sorted(found, key=lambda one: (one.provider not in own_models, one.provider)):
        best.setdefault(one.name, one)
    models: list[Model] = []
    for one in best.values():
        try:
            models.append(new_model(_fields(one)))
        except InvalidRequestError as error:
            refused.append(Skipped(one.provider, one.name, f"not in the catalogue: {error}"))
    return models, refused


def _fields(one: SourceModel) -> Mapping[str, object]:
    return {
        "model_name": one.name,
        "display_name": " ".join(one.display_name.split()),
        "model_type": one.model_type,
        "provider": one.provider,
        "description": one.description,
        "context_window": one.context_window or None,
    }
