"""Has what was spent reached a threshold that nobody was told of yet?

The drain says which limits its batch has moved; within a second they are looked at, by their keys.
Besides, now and then, all are: what a crash kept from being looked at, and what moved otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import tzinfo

import msgspec

from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import WALLET_PREFIX
from tollbridge.ledger import alert_store as store
from tollbridge.ledger.alerts import EXPIRY, THRESHOLDS, Alert, Source, Standing, highest_crossed
from tollbridge.ledger.applying import PLAN
from tollbridge.ledger.wallets import wallet_id_of
from tollbridge.storage.unit import Database, Unit

DAY_US = 86_400 * SECOND_US
Look = Callable[[Unit, store.Part], Awaitable[store.Page]]
"""Reads a page of limits of one sort."""


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When and how often is looked."""

    thresholds: tuple[int, ...] = THRESHOLDS
    """In per cent, where a budget has none of its own."""
    interval_ms: int = 400
    sweep_s: int = 60
    """Time between two looks at everything."""
    grant_expiry_days: int = 7
    """So long before it expires is told of a grant."""
    moved_max: int = 50_000
    """Most limits that wait to be looked at; with more, all are."""
    piece_max: int = 500
    """Most limits of one question to the database."""


class AlertWatch:
    """Posts the alerts of one office."""

    def __init__(
        self,
        database: Database,
        zone: tzinfo,
        settings: AlertSettings,
        on_alert: Callable[[], None] = lambda: None,
        on_away: Callable[[OverloadedError], None] = lambda _: None,
    ) -> None:
        """`on_alert` is called after alerts were written, `on_away` while the database is away."""
        self._database = database
        self._zone = zone
        self.settings = settings
        self._on_alert = on_alert
        self._on_away = on_away
        self._moved: set[str] = set()
        self._seen: set[str] = set()

    def moved(self, limit_ids: Iterable[str]) -> None:
        """Note what a batch moves, before or after it is committed."""
        if len(self._moved) < self.settings.moved_max:
            self._moved.update(limit_ids)

    async def run(self) -> None:
        """Look for ever."""
        loop = asyncio.get_running_loop()
        # Of plans only after a start, and twice after more has moved than was noted (the batch may
        # not have been committed at the first): one look at each user is too much otherwise.
        plans_due, swept_s = 1, loop.time()
        while True:
            if len(self._moved) >= self.settings.moved_max:
                self._moved.clear()
                plans_due = 2
            try:
                if plans_due or loop.time() - swept_s >= self.settings.sweep_s:
                    await self.sweep(plans_too=plans_due > 0)
                    plans_due, swept_s = max(0, plans_due - 1), loop.time()
                await self.look()
            except OverloadedError as error:
                self._on_away(error)
            await asyncio.sleep(self.settings.interval_ms / 1000)

    async def look(self) -> list[Alert]:
        """Look at what has moved; return what was posted.

        Each is looked at twice, in this look and the next: the batch that moved it may not have
        been committed at the first. Where the database is away, all of them wait for the next.
        """
        moved, self._moved = self._moved, set()
        ids = sorted(moved | self._seen)
        posted: list[Alert] = []
        try:
            for start in range(0, len(ids), self.settings.piece_max):
                piece = ids[start : start + self.settings.piece_max]
                posted += await self._post(await self._standings(piece))
        except OverloadedError:
            self._moved |= moved
            raise
        self._seen = moved
        return posted

    async def sweep(self, *, plans_too: bool = True) -> list[Alert]:
        """Look at everything, page by page; return what was posted."""
        async with self._database.read() as unit:
            now_us = await unit.now_us()
            lowest = await store.lowest_threshold(unit, self.settings.thresholds)
        soon_us = now_us + self.settings.grant_expiry_days * DAY_US
        zone = self._zone
        looks: list[Look] = [
            lambda unit, part: store.budgets_used(unit, zone, now_us, lowest, part),
            store.wallets_used,
            lambda unit, part: store.grants_expiring(unit, now_us, soon_us, part),
        ]
        if plans_too:
            looks.append(lambda unit, part: store.plans_used(unit, zone, now_us, part))
        posted: list[Alert] = []
        for look in looks:
            after: store.Place | None = ()
            while after is not None:
                async with self._database.read() as unit:
                    page = await look(unit, store.Part(None, after, self.settings.piece_max))
                posted += await self._post(page.standings)
                after = page.after
        return posted

    async def _standings(self, ids: Sequence[str]) -> list[Standing]:
        plans = [one for one in ids if one.startswith(PLAN)]
        wallets = [wallet_id for one in ids if (wallet_id := wallet_id_of(one)) is not None]
        budgets = [one for one in ids if not one.startswith((PLAN, WALLET_PREFIX))]
        found: list[Standing] = []
        async with self._database.read() as unit:
            now_us = await unit.now_us()
            if budgets:
                part = store.Part(tuple(budgets))
                found += (await store.budgets_used(unit, self._zone, now_us, 1, part)).standings
            if plans:
                part = store.Part(tuple(plans))
                found += (await store.plans_used(unit, self._zone, now_us, part)).standings
            if wallets:
                found += (await store.wallets_used(unit, store.Part(tuple(wallets)))).standings
        return found

    async def _post(self, standings: Sequence[Standing]) -> list[Alert]:
        if not standings:
            return []
        async with self._database.read() as unit:
            due = await self._due(unit, standings)
        if not due:
            return []
        posted: list[Alert] = []
        async with self._database.write() as unit:
            for standing, threshold in due:
                alert = await store.post_alert(unit, standing, threshold)
                if alert is not None:
                    posted.append(alert)
        self._on_alert()
        return posted

    async def _due(self, unit: Unit, standings: Sequence[Standing]) -> list[tuple[Standing, int]]:
        """Return what is to be told: nothing that was, and nothing below what was."""
        own = await store.thresholds_of(unit, [one.limit_id for one in standings])
        told = await store.told(unit, standings)
        due: list[tuple[Standing, int]] = []
        for one in standings:
            thresholds = own.get(one.limit_id, self.settings.thresholds)
            crossed = EXPIRY if one.source is Source.GRANT else highest_crossed(one, thresholds)
            before = told.get((one.limit_id, one.subject, one.period_start_us))
            if crossed is not None and (before is None or crossed > before):
                due.append((one, crossed))
        return due
