"""How do those who watch a node hear of its budgets, and how does a collector get its metrics?"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from tollbridge.api.figures import LimitFigures, OfficeFigures
from tollbridge.api.metrics import FiguresCollector
from tollbridge.api.otlp import Moment, payload
from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import Clock
from tollbridge.core.errors import ConfigurationError, OverloadedError
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.resource_queries import BudgetNow, list_budgets
from tollbridge.processes.logs import cause_of
from tollbridge.processes.people import OidcWeb
from tollbridge.processes.spans import Spans
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

BUDGETS_MAX = 500
"""Budgets that metrics tell of; the first by name."""
PATH = "/v1/metrics"

log: Any = structlog.get_logger()


class Telemetry:
    """Looks at the budgets now and then, and sends metrics and spans where that is asked for."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        web: OidcWeb,
        figures: Callable[[], OfficeFigures],
        base_urls: Mapping[str, str],
    ) -> None:
        """Raise ConfigurationError where what the settings say of a collector cannot be.

        `base_urls`: of endpoints, by name.
        """
        self._settings = settings
        self._database = database
        self._clock = clock
        self._web = web
        self._figures = figures
        self._headers = headers_of(settings.otlp_headers.get_secret_value())
        self.spans = Spans(settings, web, self._headers, base_urls)
        self._started_at_us = clock.now_us()
        self.limits: tuple[LimitFigures, ...] = ()

    async def run(self) -> None:
        """Do all of it for ever; what fails is tried again at the next time."""
        await asyncio.gather(self._run_metrics(), self.spans.run())

    async def _run_metrics(self) -> None:
        settings = self._settings
        sending = settings.otlp_endpoint != ""
        interval_s = settings.otlp_interval_s if sending else settings.metrics_budgets_s
        interval_s = min(interval_s, settings.metrics_budgets_s)
        sent_s = looked_s = float("-inf")
        while True:
            now_s = self._clock.monotonic_s()
            try:
                if now_s - looked_s >= settings.metrics_budgets_s:
                    looked_s = now_s
                    await self.look()
                if sending and now_s - sent_s >= settings.otlp_interval_s:
                    sent_s = now_s
                    await self.send()
            except OverloadedError as error:
                log.warning("telemetry_waits", action="telemetry", kind=cause_of(error))
            await asyncio.sleep(interval_s)

    async def look(self) -> None:
        """Read how the budgets stand."""
        zone = ZoneInfo(self._settings.billing_time_zone)
        async with self._database.read() as unit:
            rows = await list_budgets(unit, zone, None, "", ROWS_MAX)
        self.limits = tuple(_limit(one) for one in rows if one.row.enabled)[:BUDGETS_MAX]

    async def send(self) -> None:
        """Send all metrics to the collector. Raises OverloadedError where it does not take them."""
        moment = Moment(
            node=self._settings.node,
            version=version("tollbridge"),
            started_at_us=self._started_at_us,
            now_us=self._clock.now_us(),
        )
        body = payload(FiguresCollector(self._figures()).collect(), moment)
        url = self._settings.otlp_endpoint.rstrip("/") + PATH
        headers = ((b"content-type", b"application/json"), *self._headers)
        status, _ = await self._web.ask("POST", url, headers, body)
        if not 200 <= status < 300:
            raise OverloadedError(f"the collector answered {status}")


def headers_of(text: str) -> tuple[tuple[bytes, bytes], ...]:
    """Read `name=value` pairs with commas between. Raises ConfigurationError."""
    found: list[tuple[bytes, bytes]] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, is_pair, value = part.partition("=")
        if not is_pair or not name.strip() or not (name + value).isascii():
            raise ConfigurationError("TOLLBRIDGE_OTLP_HEADERS: write name=value, with commas")
        found.append((name.strip().lower().encode(), value.strip().encode()))
    return tuple(found)


def _limit(one: BudgetNow) -> LimitFigures:
    terms, state = one.row.terms, one.state
    amounts: Sequence[float] = [
        float(amount_text(terms.kind, amount))
        for amount in (terms.limit_amount, state.spent, state.leased)
    ]
    return LimitFigures(terms.name, terms.kind.value, *amounts)
