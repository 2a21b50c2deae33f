"""Do all workers know what the database says?

Each part of the snapshot has a version in the database. It is looked at often; a part whose
version has changed is read and encoded once, here, and sent to every worker.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, tzinfo

import msgspec

from tollbridge.access import store as access_store
from tollbridge.attribution.ruling import Rules
from tollbridge.attribution.store import RuleBook
from tollbridge.core.call import Caller
from tollbridge.core.limits import Limit, LimitKind
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.applying import KEY_ID, LimitsPart, LimitTable
from tollbridge.ledger.limits import load_limits
from tollbridge.processes.link import Part
from tollbridge.processes.secrets import Secrets
from tollbridge.processes.snapshot import AccessSnapshot, PartName
from tollbridge.providers.names import load_names
from tollbridge.rating import model_store
from tollbridge.rating import store as rating_store
from tollbridge.rating.prices import PricePart
from tollbridge.routing import store as routing_store
from tollbridge.routing.part import DeclaredEndpoint
from tollbridge.storage import versions
from tollbridge.storage.unit import Database, Unit

OnPart = Callable[[Part], None]
Load = Callable[[Unit], Awaitable[object]]

SENT_IN_ORDER = (
    PartName.PRICES,
    PartName.MODELS,
    PartName.ROUTING,
    PartName.LIMITS,
    PartName.ACCESS,
)

# Whose versions in the database a part depends on.
SOURCES: Mapping[PartName, tuple[str, ...]] = {
    PartName.ACCESS: (access_store.PART,),
    PartName.ROUTING: (routing_store.PART,),
    PartName.PRICES: (rating_store.PART,),
    PartName.MODELS: (model_store.PART,),
    PartName.LIMITS: (access_store.PART, ledger_store.PART),
}


class Broadcast:
    """The snapshot as it stands, and its renewal."""

    def __init__(
        self,
        database: Database,
        installation: Secrets,
        on_part: OnPart,
        builtin_here: Mapping[str, DeclaredEndpoint] | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """`zone` is the billing time zone."""
        self._database = database
        self._installation = installation
        self._builtin_here = builtin_here or {}
        self._on_part = on_part
        self._zone = zone
        self._seen: dict[PartName, tuple[int, ...]] = {}
        self._loads: Mapping[PartName, Load] = {
            PartName.ACCESS: self._load_access,
            PartName.ROUTING: self._load_routing,
            PartName.PRICES: self._load_prices,
            PartName.MODELS: model_store.load_part,
            PartName.LIMITS: self._load_limits,
        }
        self.callers: list[Caller] = []
        self.parts: dict[PartName, Part] = {}
        self.prices: PricePart | None = None
        self._rule_book = RuleBook(load_names().resolve)
        self.rules: Rules | None = None
        """Of attribution. The drain works by them; workers need none, and are not sent them."""
        self.limits = LimitTable(LimitsPart(), zone)
        self._limits_due_us: int | None = None
        self.unreadable: tuple[str, ...] = ()
        """Endpoints whose provider key the master key in force cannot open."""
        self.addresses: dict[str, str] = {}
        """Endpoint → base URL."""

    async def renew(self) -> list[PartName]:
        """Look at the versions; read, keep and hand on each part that has changed."""
        fresh: dict[PartName, tuple[tuple[int, ...], Part]] = {}
        async with self._database.read() as unit:
            now = await versions.read_versions(unit)
            rules = await self._rule_book.current(unit, now)
            for name, sources in SOURCES.items():
                seen = tuple(now.get(source, 0) for source in sources)
                if self._seen.get(name) == seen and not (
                    name is PartName.LIMITS and await self._limits_are_due(unit)
                ):
                    continue
                content = msgspec.msgpack.encode(await self._loads[name](unit))
                fresh[name] = (seen, Part(name.value, sum(seen), content))
        self.rules = rules
        # Only now, with all of it read: what a fault broke off is read again the next time. Keys
        # go last, so that none is let in before the limits that it is held to are known.
        renewed = sorted(fresh, key=SENT_IN_ORDER.index)
        for name in renewed:
            seen, part = fresh[name]
            self._on_part(part)
            self._seen[name], self.parts[name] = seen, part
        return renewed

    async def _limits_are_due(self, unit: Unit) -> bool:
        """Return whether a subscription has become another one, or is over."""
        due_us = self._limits_due_us
        return due_us is not None and await unit.now_us() >= due_us

    async def _load_access(self, unit: Unit) -> AccessSnapshot:
        part = await access_store.load_part(unit)
        self.callers = [one.caller for one in part.keys if not one.revoked]
        return AccessSnapshot(part, self._installation.pepper)

    async def _load_routing(self, unit: Unit) -> object:
        part = await routing_store.load_part(unit, self._installation.master, self._builtin_here)
        self.unreadable = part.unreadable
        self.addresses.clear()
        self.addresses.update((one.name, one.base_url) for one in part.endpoints)
        return part

    async def _load_prices(self, unit: Unit) -> PricePart:
        self.prices = await rating_store.load_part(unit)
        return self.prices

    async def _load_limits(self, unit: Unit) -> LimitsPart:
        """Put together what holds calls back."""
        part = await load_limits(unit)
        by_subject = dict(part.by_subject)
        for key in await access_store.key_limits(unit):
            counted = (
                (LimitKind.CALLS_PER_MINUTE, key.calls_per_minute),
                (LimitKind.CONCURRENT_CALLS, key.concurrent_calls),
            )
            by_subject[f"{KEY_ID}{key.key_id}"] = tuple(
                Limit(f"{kind.value}:{key.key_id}", kind, key.name, amount)
                for kind, amount in counted
                if amount is not None
            )
        part = msgspec.structs.replace(part, by_subject=by_subject)
        self._limits_due_us = part.changes_at_us
        self.limits = LimitTable(part, self._zone)
        return part
