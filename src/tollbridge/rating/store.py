"""How are prices stated, taken back and read? With version_store.py all SQL of rating."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import String, and_, delete, insert, select, type_coerce

from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.rating import conditions as rules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.intervals import Interval, Key, Version, derive
from tollbridge.rating.matchers import check_matcher
from tollbridge.rating.prices import (
    NAME_MAX,
    UNITS,
    AliasRow,
    DeclaredAlias,
    DeclaredPrice,
    FilePrice,
    PricePart,
    PriceRow,
    Source,
    Status,
    checked,
    read_file_prices,
)
from tollbridge.rating.record import Decision, Stated, by_hand_over, decide, withdrawal
from tollbridge.rating.seed import seed_prices
from tollbridge.rating.tables import price_aliases, price_intervals, price_versions
from tollbridge.rating.version_store import (
    add_events,
    add_versions,
    event,
    load_versions,
    next_instant_us,
    refresh_intervals,
)
from tollbridge.storage import audit
from tollbridge.storage import versions as parts
from tollbridge.storage.unit import Unit

PART = "prices"
SEED_ACTOR = "catalogue"
FILE_ACTOR = "configuration file"
FILES_SEED_YIELDS_TO = frozenset({Source.IMPORT.value, Source.SYNC.value, Source.OPERATOR.value})
"""A model that one of these has spoken of is no longer the seed file's business."""
STATUS_AFTER: Mapping[str, frozenset[str]] = {
    Status.PROPOSED: frozenset({Status.ACTIVE, Status.REJECTED}),
    Status.ACTIVE: frozenset({Status.DISPUTED, Status.WITHDRAWN}),
    Status.DISPUTED: frozenset({Status.ACTIVE, Status.WITHDRAWN}),
    Status.REJECTED: frozenset({Status.ACTIVE}),
}

Decide = Callable[[list[Version], int], Decision]


class Recorded(msgspec.Struct, frozen=True):
    """How many statements were new, known before, and new but only proposed."""

    added: int
    unchanged: int
    proposed: int


async def load_part(unit: Unit, provider: str | None = None) -> PricePart:
    """Return all that holds (of one provider, or of all), for a `PriceBook`."""
    holds, said = price_intervals.c, price_versions.c
    query = select(
        holds.price_version_id,
        holds.provider,
        holds.model,
        holds.unit,
        type_coerce(said.rate_usd, String),  # the text itself, to be parsed once
        said.per,
        holds.valid_from_us,
        holds.valid_to_us,
        holds.source,
        holds.conditions,
        said.quantity_min,
        said.quantity_step,
    ).join(price_versions, said.price_version_id == holds.price_version_id)
    aliases = select(
        price_aliases.c.provider,
        price_aliases.c.alias,
        price_aliases.c.model,
    ).order_by(price_aliases.c.provider, price_aliases.c.alias)
    if provider is not None:
        query = query.where(holds.provider == provider)
        aliases = aliases.where(price_aliases.c.provider == provider)
    rows = [PriceRow(*row) for row in await unit.connection.execute(query)]
    return PricePart(rows, [AliasRow(*row) for row in await unit.connection.execute(aliases)])


async def price_at(unit: Unit, provider: str, model: str, at_us: int) -> list[PriceRow]:
    """Return the rows that price a provider's model at an instant, each with its conditions.

    The same look-up as in rating: other names, prefixes, patterns, and the ranks of the sources.
    """
    book = PriceBook(await load_part(unit, provider))
    return book.rows_at(provider, model, at_us)


async def record_versions(
    unit: Unit,
    statements: Sequence[DeclaredPrice],
    *,
    source: Source,
    actor: str,
    now_us: int,
    disputes: bool,
    proposed: bool = False,
) -> Recorded:
    """Record what a source states; what it has stated before adds nothing.

    With `disputes` a statement that contradicts another source or another one of these is only
    proposed, with `proposed` each one. Raises ConfigurationError, naming model and field, and
    writes nothing, for a price that is refused or (without `disputes`) stated twice for the same
    time.
    """
    prices = [checked(price) for price in statements]
    if source is Source.OPERATOR:
        # Lists may speak of what we do not carry yet, such as batches; a person means our calls.
        for price in prices:
            rules.check_known(f"price {price.provider}/{price.model}", price.conditions)

    def plan(versions: list[Version], recorded_at_us: int) -> Decision:
        return decide(
            prices,
            versions,
            source,
            now_us,
            recorded_at_us=recorded_at_us,
            disputes=disputes,
            proposed=proposed,
        )

    return await _apply(unit, {price.provider for price in prices}, plan, actor, now_us)


async def seed(unit: Unit, now_us: int, declared: Sequence[DeclaredPrice] | None = None) -> int:
    """Add the versions of the catalogue that the database does not have yet; return how many.

    Run it before `apply_file_prices`. Without `declared` the catalogue that comes with the
    program is taken. Of a model that was imported, synchronised or priced by hand it says nothing
    any more. A figure that the catalogue corrects is a later row for the same time.
    """
    stated = seed_prices() if declared is None else declared
    prices = [checked(price, f"catalogue: {price.provider}/{price.model}") for price in stated]

    def plan(versions: list[Version], recorded_at_us: int) -> Decision:
        spoken_of = {
            (version.key.provider, version.key.model)
            for version in versions
            if version.key.source in FILES_SEED_YIELDS_TO
        }
        mine = [price for price in prices if (price.provider, price.model) not in spoken_of]
        return decide(
            mine, versions, Source.SEED, now_us, recorded_at_us=recorded_at_us, disputes=False
        )

    providers = {price.provider for price in prices}
    return (await _apply(unit, providers, plan, SEED_ACTOR, now_us)).added


async def apply_file_prices(unit: Unit, prices: Iterable[FilePrice], now_us: int) -> int:
    """Bring the prices of the configuration file into effect; return how many versions it took.

    An unchanged price adds none. A changed one holds from `now_us` on, one that the file no
    longer declares is withdrawn from then on, and what the catalogue says holds again. The first
    price ever known of a model holds for all time. Raises ConfigurationError naming the field.
    """
    mine = Source.FILE.value
    declared = [checked(price) for price in read_file_prices(prices)]
    keys = {Key(one.provider, one.model, one.unit, rules.NONE, mine) for one in declared}

    def plan(versions: list[Version], recorded_at_us: int) -> Decision:
        decision = decide(
            declared,
            versions,
            Source.FILE,
            now_us,
            recorded_at_us=recorded_at_us,
            disputes=False,
        )
        gone = [
            withdrawal(interval, mine, now_us, recorded_at_us)
            for key, timeline in derive(versions).items()
            if key.source == mine and key not in keys
            for interval in timeline
            if interval.end_us > now_us and interval.version.rate_usd is not None
        ]
        return Decision([*decision.stated, *gone], decision.unchanged)

    providers = {price.provider for price in declared}
    found = await unit.connection.execute(
        select(price_versions.c.provider)
        .where(price_versions.c.source == Source.FILE.value)
        .distinct()
    )
    providers.update(found.scalars())
    return (await _apply(unit, providers, plan, FILE_ACTOR, now_us)).added


async def change_status(
    unit: Unit,
    price_version_id: str,
    status: Status,
    *,
    actor: str,
    reason: str | None,
    now_us: int,
) -> None:
    """Accept (active), reject, dispute or withdraw a version, by an event.

    An accepted proposal is laid over what its source said before; where a higher source says
    something else of its time, it is stated by hand as well, so that it holds. A withdrawn version
    leaves a gap, which no lower source fills. Raises InvalidRequestError where there is no such
    version or it cannot become that.
    """
    await parts.bump(unit, PART)
    provider = await _provider_of(unit, price_version_id)
    versions = await load_versions(unit, {provider})
    (version,) = [one for one in versions if one.id == price_version_id.lower()]
    if status not in STATUS_AFTER.get(version.status, frozenset()) or version.rate_usd is None:
        raise InvalidRequestError(
            f"price version {version.id} is {version.status}; it cannot become {status}"
        )
    at_us = await next_instant_us(unit, now_us)
    await add_events(unit, [event(version.id, status.value, at_us, actor, reason)])
    subject, details = f"price:{provider}/{version.key.model}", {"price_version_id": version.id}
    await audit.record(unit, actor, f"prices.{status.value}", subject, details)
    begins = status is Status.ACTIVE and version.active_at_us is None
    changed = msgspec.structs.replace(
        version,
        status=status.value,
        active_at_us=at_us if begins else version.active_at_us,
    )
    timelines = derive(versions)
    more: list[Stated] = []
    if status is Status.WITHDRAWN:
        more = [
            withdrawal(interval, version.key.source, interval.start_us, at_us)
            for interval in timelines.get(version.key, ())
            if interval.version.id == version.id
        ]
    elif begins:
        by_hand = by_hand_over(version, timelines, reason, at_us)
        more = [] if by_hand is None else [by_hand]
    await add_versions(unit, more, actor, reason)
    same = [changed if one.id == version.id else one for one in versions]
    same += [one.version for one in more]
    keys = {version.key, *(one.version.key for one in more)}
    await refresh_intervals(unit, same, keys, at_us + 1)


async def withdraw(
    unit: Unit,
    provider: str,
    model: str,
    unit_name: str,
    conditions: Mapping[str, str],
    from_us: int,
    actor: str,
    *,
    now_us: int,
) -> int:
    """Take a price back from an instant on, whoever stated it; return how many versions it took.

    Nothing lower fills the gap; a new statement does. Raises ConfigurationError for an unknown
    unit or bad conditions.
    """
    if unit_name not in UNITS:
        raise ConfigurationError(f"unit: there is no unit {unit_name!r}")
    text = rules.canonical("conditions", conditions)

    def plan(versions: list[Version], recorded_at_us: int) -> Decision:
        holding = [
            interval
            for key, timeline in derive(versions).items()
            if key[:4] == (provider, model, unit_name, text)
            for interval in timeline
            if interval.end_us > from_us and interval.version.rate_usd is not None
        ]
        return Decision(
            [withdrawal(one, _taken_back_by(one), from_us, recorded_at_us) for one in holding], 0
        )

    count = (await _apply(unit, {provider}, plan, actor, now_us)).added
    if count:
        details = {"unit": unit_name, "versions": count}
        await audit.record(unit, actor, "prices.withdraw", f"price:{provider}/{model}", details)
    return count


async def rebuild_intervals(unit: Unit, now_us: int) -> int:
    """Make all intervals anew from versions and events; return how many rows were wrong."""
    versions = await load_versions(unit, None)
    changed = await refresh_intervals(unit, versions, None, await next_instant_us(unit, now_us))
    if changed:
        await parts.bump(unit, PART)
    return changed


async def record_aliases(
    unit: Unit, aliases: Sequence[DeclaredAlias], source: Source, now_us: int
) -> int:
    """Record other names of priced models; a source's later word on a name replaces its earlier.

    Returns how many were new or changed. Raises ConfigurationError for a name that is refused.
    """
    for alias in aliases:
        where = f"alias {alias.provider}/{alias.alias}"
        if not all(
            0 < len(text) <= NAME_MAX for text in (alias.provider, alias.alias, alias.model)
        ):
            raise ConfigurationError(f"{where}: names have 1 to {NAME_MAX} characters")
        check_matcher(where, alias.alias)
    columns = price_aliases.c
    found = await unit.connection.execute(
        select(columns.provider, columns.alias, columns.model).where(columns.source == source.value)
    )
    known = {(provider, alias): model for provider, alias, model in found}
    wanted = {(one.provider, one.alias): one.model for one in aliases}
    new = {place: model for place, model in wanted.items() if known.get(place) != model}
    if not new:
        return 0
    await parts.bump(unit, PART)
    for provider, alias in new.keys() & known.keys():
        await unit.connection.execute(
            delete(price_aliases).where(
                and_(
                    columns.provider == provider,
                    columns.alias == alias,
                    columns.source == source.value,
                )
            )
        )
    rows = [
        {
            "provider": provider,
            "alias": alias,
            "source": source.value,
            "model": model,
            "recorded_at_us": now_us,
        }
        for (provider, alias), model in new.items()
    ]
    await unit.connection.execute(insert(price_aliases), rows)
    return len(rows)


async def _apply(
    unit: Unit, providers: Collection[str], plan: Decide, actor: str, now_us: int
) -> Recorded:
    if not providers:
        return Recorded(0, 0, 0)
    versions = await load_versions(unit, providers)
    decision = plan(versions, now_us)
    if not decision.stated:
        return Recorded(0, decision.unchanged, 0)
    # Two nodes that do this at once: the part's row makes the second wait, and look again.
    await parts.bump(unit, PART)
    at_us = await next_instant_us(unit, now_us)
    versions = await load_versions(unit, providers)
    decision = plan(versions, at_us)
    await add_versions(unit, decision.stated, actor)
    new = [one.version for one in decision.stated]
    if new:
        await refresh_intervals(unit, [*versions, *new], {one.key for one in new}, at_us + 1)
    proposed = sum(version.status == Status.PROPOSED.value for version in new)
    return Recorded(len(new) - proposed, decision.unchanged, proposed)


async def _provider_of(unit: Unit, price_version_id: str) -> str:
    # As text: PostgreSQL would refuse what is no UUID instead of not finding it.
    found = await unit.connection.execute(
        select(price_versions.c.provider).where(
            price_versions.c.price_version_id.cast(String) == price_version_id.lower()
        )
    )
    provider: str | None = found.scalar()
    if provider is None:
        raise InvalidRequestError(f"there is no price version {price_version_id[:NAME_MAX]!r}")
    return provider


def _taken_back_by(interval: Interval) -> str:
    """Return whose word ends an interval: the file says what it says until it is overruled."""
    source = interval.version.key.source
    return Source.OPERATOR.value if source == Source.FILE.value else source
