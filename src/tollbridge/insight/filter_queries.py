"""Which rows does a filter mean? As conditions on calls, and on what roll-ups are about."""

from typing import Any

import msgspec
from sqlalchemy import Boolean, ColumnElement, Table, exists, literal, literal_column, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tollbridge.access.tables import keys
from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.insight.sight_queries import in_sight
from tollbridge.insight.usage import CallFilter
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.tables import dimensions
from tollbridge.routing.tables import endpoints
from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.unit import Unit

KEYS_MAX = 20
"""Most keys of one user whose calls are read key by key."""
NAMES_LISTED_MAX = 100

_DIMENSION = dimensions.c


class Matching(msgspec.Struct, frozen=True):
    """What a filter comes to, once the database has said which keys it means."""

    wanted: CallFilter
    key_ids: tuple[str, ...] | None = None
    """All keys that such calls can have been made with; None: any, or too many to go by them."""

    @property
    def path(self) -> tuple[str, tuple[str, ...]] | None:
        """The column, and its values, by which an index finds the calls; None: by time alone."""
        if self.key_ids is not None:
            return "key_id", self.key_ids
        if self.by_fallback:
            return None
        if self.wanted.actual_provider is not None:
            return "actual_provider_name", (self.wanted.actual_provider,)
        return None

    @property
    def by_fallback(self) -> bool:
        """Whether the index that finds the calls has only those that fell back."""
        return self.wanted.fallback is True and self.key_ids is None

    @property
    def is_summed(self) -> bool:
        """Whether roll-ups tell all calls that are meant from all others."""
        wanted = self.wanted
        fine = (wanted.served_model, wanted.status_code, wanted.ending, wanted.fallback)
        fine = (*fine, wanted.customer, wanted.tag)
        twice = wanted.status is not None and wanted.unpriced is not None
        return all(one is None for one in fine) and not twice

    @property
    def measure(self) -> str:
        """What of a roll-up counts the calls that are meant."""
        if self.wanted.status is not None:
            return self.wanted.status.lower()
        return {None: "calls", True: "unpriced", False: "priced"}[self.wanted.unpriced]


async def matching(unit: Unit, wanted: CallFilter) -> Matching:
    """Find the keys that a filter means."""
    if wanted.key is None and wanted.user is None and wanted.sight is None:
        return Matching(wanted)
    if wanted.key is not None:
        # By its id where it is known: ids have an index.
        found = await unit.connection.execute(
            select(keys.c.key_id).where(keys.c.name == wanted.key)
        )
        key_id = found.scalar()
        if key_id is not None:
            wanted = msgspec.structs.replace(wanted, key=str(key_id))
            return Matching(wanted, (str(key_id),))
        of = or_(_DIMENSION.key_id == wanted.key, _DIMENSION.key_name == wanted.key)
    elif wanted.user is not None:
        of = _DIMENSION.user_name == wanted.user
    else:
        [of] = in_sight(wanted.sight, _DIMENSION.user_name, _DIMENSION.project)
    # Roll-ups by day have neither user nor key, and so are not among these.
    query = select(_DIMENSION.key_id).where(of).distinct().limit(KEYS_MAX + 1)
    ids = tuple(sorted(str(one) for one in (await unit.connection.execute(query)).scalars()))
    return Matching(wanted, ids if len(ids) <= KEYS_MAX else None)


def conditions_of(table: Table, wanted: CallFilter) -> list[ColumnElement[bool]]:
    """Return what must hold for a call; its time is not among it."""
    columns = table.c
    equal = (
        (columns.user_name, wanted.user),
        (columns.actual_provider_name, wanted.actual_provider),
        (columns.upstream_provider_name, wanted.upstream_provider),
        (columns.bucket, wanted.bucket),
        (columns.category, wanted.category),
        (columns.served_model, wanted.served_model),
        (columns.status, wanted.status),
        (columns.http_status, wanted.status_code),
        (columns.ending, wanted.ending),
        (columns.project, wanted.project),
        (columns.customer, wanted.customer),
        (columns.usage_source, wanted.usage_source),
    )
    conditions = [column == value for column, value in equal if value is not None]
    conditions += in_sight(wanted.sight, columns.user_name, columns.project)
    either = (
        ((columns.key_id, columns.key_name), wanted.key),
        ((columns.actual_provider_name, columns.bucket), wanted.provider),
        ((columns.label, columns.requested_model), wanted.model),
    )
    for pair, value in either:
        if value is not None:
            conditions.append(or_(*(column == value for column in pair)))
    if wanted.tag is not None:
        conditions.append(Holds(columns.tags, literal(wanted.tag)))
    if wanted.status_class is not None:
        first = int(wanted.status_class[0]) * 100
        conditions += [columns.http_status >= first, columns.http_status < first + 100]
    if wanted.fallback is not None:
        conditions.append(fell_back(table) if wanted.fallback else columns.attempt_count < 2)
    if wanted.unpriced is not None:
        since = exists().where(adjustments.c.call_id == columns.call_id, adjustments.c.call_priced)
        unpriced = columns.unpriced & ~since
        conditions.append(unpriced if wanted.unpriced else ~unpriced)
    return conditions


_AMONG = "IN (SELECT value FROM json_each"


class Holds(FunctionElement[bool]):
    """Whether a JSON column's list holds a text."""

    type = Boolean()
    inherit_cache = True


@compiles(Holds)
def _holds_on_sqlite(element: Holds, compiler: SQLCompiler, **options: Any) -> str:
    values, text = (compiler.process(one, **options) for one in element.clauses)
    return f"{text} {_AMONG}({values}))"


@compiles(Holds, POSTGRESQL)
def _holds_on_postgresql(element: Holds, compiler: SQLCompiler, **options: Any) -> str:
    values, text = (compiler.process(one, **options) for one in element.clauses)
    return f"jsonb_exists({values}, {text})"


def fell_back(table: Table) -> ColumnElement[bool]:
    """Return what holds for a call for which more than one was tried, as the index has it.

    Not with a parameter: a plan for any value could not use the index.
    """
    return table.c.attempt_count > literal_column("1")


def dimension_conditions(wanted: CallFilter, *, coarse: bool) -> list[ColumnElement[bool]]:
    """Return what must hold for what a roll-up is about; `coarse`: it knows no user and no key.

    Where a filter is finer than roll-ups are, these let by more than it does, and never less.
    """
    equal = [
        (_DIMENSION.provider, wanted.actual_provider),
        (_DIMENSION.upstream_provider, wanted.upstream_provider),
        (_DIMENSION.bucket, wanted.bucket),
        (_DIMENSION.category, wanted.category),
        (_DIMENSION.project, wanted.project),
        (_DIMENSION.usage_source, wanted.usage_source),
        (_DIMENSION.status_class, _class_of(wanted)),
    ]
    either = [
        ((_DIMENSION.provider, _DIMENSION.bucket), wanted.provider),
        ((_DIMENSION.route, _DIMENSION.model), wanted.model),
    ]
    if not coarse:
        equal.append((_DIMENSION.user_name, wanted.user))
        either.append(((_DIMENSION.key_id, _DIMENSION.key_name), wanted.key))
    conditions = [column == value for column, value in equal if value is not None]
    if not coarse:
        conditions += in_sight(wanted.sight, _DIMENSION.user_name, _DIMENSION.project)
    for pair, value in either:
        if value is not None:
            conditions.append(or_(*(column == value for column in pair)))
    return conditions


async def require_provider(unit: Unit, names: ProviderNames, provider: str) -> None:
    """Raise InvalidRequestError, listing those there are, for a name that nothing here has."""
    buckets = [one.value for one in Bucket]
    if provider in buckets or names.resolve(provider) is not None:
        return
    asked = [select(endpoints.c.name).where(endpoints.c.provider == provider)]
    asked += [
        select(tier.details.c.call_id).where(tier.details.c.actual_provider_name == provider)
        for tier in TIERS
    ]
    for query in asked:
        if (await unit.connection.execute(query.limit(1))).first() is not None:
            return
    known = sorted(names.shown)[:NAMES_LISTED_MAX]
    raise InvalidRequestError(
        f"there is no provider or bucket {provider!r}; buckets: {', '.join(buckets)}; "
        f"providers: {', '.join(known)}",
        details={"param": "provider", "buckets": buckets, "providers": known},
    )


def _class_of(wanted: CallFilter) -> str | None:
    if wanted.status_code is not None:
        return f"{wanted.status_code // 100}xx"
    return wanted.status_class
