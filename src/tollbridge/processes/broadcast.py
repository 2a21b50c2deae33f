"""Do all workers know what the database says?

Each part of the snapshot has a version in the database. It is looked at often; a part whose
version has changed is read and encoded once, here, and sent to every worker.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from tollbridge.access import store as access_store
from tollbridge.attribution.ruling import Rules
from tollbridge.attribution.store import RuleBook
from tollbridge.core.call import Caller
from tollbridge.core.limits import Limit, LimitKind
from tollbridge.ledger import store as ledger_store
from tollbridge.processes.link import LimitsPart, Part
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
ORGANISATION = "default"

# Whose versions in the database a part depends on.
SOURCES: Mapping[PartName, tuple[str, ...]] = {
    PartName.ACCESS: (access_store.PART,),
    PartName.ROUTING: (routing_store.PART,),
    PartName.PRICES: (rating_store.PART,),
    PartName.MODELS: (model_store.PART,),
    PartName.LIMITS: (access_store.PART, ledger_store.PART),
}


def subjects_of(caller: Caller) -> tuple[str, ...]:
    """Return the subjects whose budgets a caller's calls count in; there is one organisation."""
    return (
        f"organisation:{ORGANISATION}",
        f"project:{caller.project}",
        f"user:{caller.user}",
        f"key:{caller.key_name}",
    )


class Broadcast:
    """The snapshot as it stands, and its renewal."""

    def __init__(
        self,
        database: Database,
        installation: Secrets,
        on_part: OnPart,
        builtin_here: Mapping[str, DeclaredEndpoint] | None = None,
    ) -> None:
        self._database = database
        self._installation = installation
        self._builtin_here = builtin_here or {}
        self._on_part = on_part
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
        self.limits: tuple[Limit, ...] = ()
        self._limits_of: dict[str, list[Limit]] = {}
        self.unreadable: tuple[str, ...] = ()
        """Endpoints whose provider key the master key in force cannot open."""

    async def renew(self) -> list[PartName]:
        """Look at the versions; read, keep and hand on each part that has changed."""
        fresh: dict[PartName, tuple[tuple[int, ...], Part]] = {}
        async with self._database.read() as unit:
            now = await versions.read_versions(unit)
            rules = await self._rule_book.current(unit, now)
            for name, sources in SOURCES.items():
                seen = tuple(now.get(source, 0) for source in sources)
                if self._seen.get(name) == seen:
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

    def limits_of(self, key_id: str) -> tuple[Limit, ...]:
        """Return the limits that a key's calls must pass."""
        return tuple(self._limits_of.get(key_id, ()))

    async def _load_access(self, unit: Unit) -> AccessSnapshot:
        part = await access_store.load_part(unit)
        self.callers = [one.caller for one in part.keys if not one.revoked]
        return AccessSnapshot(part, self._installation.pepper)

    async def _load_routing(self, unit: Unit) -> object:
        part = await routing_store.load_part(unit, self._installation.master, self._builtin_here)
        self.unreadable = part.unreadable
        return part

    async def _load_prices(self, unit: Unit) -> PricePart:
        self.prices = await rating_store.load_part(unit)
        return self.prices

    async def _load_limits(self, unit: Unit) -> LimitsPart:
        """Put together what holds each key's calls back."""
        of_key: dict[str, list[Limit]] = {}
        for key in await access_store.key_limits(unit):
            counted = (
                (LimitKind.CALLS_PER_MINUTE, key.calls_per_minute),
                (LimitKind.CONCURRENT_CALLS, key.concurrent_calls),
            )
            for kind, amount in counted:
                if amount is not None:
                    limit = Limit(f"{kind.value}:{key.key_id}", kind, key.name, amount)
                    of_key.setdefault(key.key_id, []).append(limit)
        of_subject: dict[str, list[Limit]] = {}
        for budget in (await ledger_store.load_part(unit)).budgets:
            of_subject.setdefault(budget.subject, []).append(budget.limit)
        for caller in self.callers:
            for subject in subjects_of(caller):
                if found := of_subject.get(subject):
                    of_key.setdefault(caller.key_id, []).extend(found)
        every = {limit.limit_id: limit for limits in of_key.values() for limit in limits}
        self.limits = tuple(every.values())
        self._limits_of = of_key
        return LimitsPart({key_id: tuple(limits) for key_id, limits in of_key.items()})
