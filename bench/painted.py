"""How soon after somebody chooses a filter does the usage log show it, in books of many calls?

Run `python -m bench.painted --rows 1000000 --database sqlite` (10,000,000 for the bound of the
design). A served node over calls of bench/prefill.py, Chromium, and somebody who signs in and
narrows the list again and again, by filters that were not asked for before. Measured in the page:
from the key or the pointer going down to the frame after which the new rows are on the screen, what
is waited for after a letter that is typed included. Tasks are those of the page's main thread, in
Chromium's own trace; what is looked for there by the driver is found by its attributes, since to
look for it by role and name costs more time of that thread than the page itself.

That the first page is small and soon usable is shown by tests/browser/test_pages.py.
"""

import argparse
import asyncio
import itertools
import json
import random
import re
import shutil
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bench.drain import SAMPLES, drain, write_spool
from bench.insight import spread
from bench.prefill import prefill
from bench.questions import KEYS
from bench.samples import Figure
from tests.browser.conftest import CHROMIUM, DESK, FLAGS
from tests.support.databases import make_schema
from tests.support.postgres import PostgresServer
from tests.support.processes import ServedNode
from tollbridge.core.clock import SystemClock
from tollbridge.insight.axes import DAY_US
from tollbridge.recording.statements import joined
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database

BOUND_MS = 300
TASK_BOUND_MS = 100
ROWS = 1_000_000
ROWS_QUICK = 50_000
ROUNDS, ROUNDS_QUICK = 16, 2
DATABASES = ("sqlite", "postgresql")
PASSWORD = "a-long-enough-password"  # noqa: S105 - of a node that lives for this run
WAIT_MS = 30_000
TYPED_EVERY_MS = 20
SHARE_P95 = 0.95

# Whoever serves, the label and the outcome follow from the project: so roll-ups can say the same.
PROVIDERS = ("openai", "anthropic", "google", "wavespeed", "groq")
SHOWN = ("OpenAI", "Anthropic", "Google", "WaveSpeed", "Groq")
MODELS = tuple(f"model-{place}" for place in range(10))
UPSTREAM = "upstream-7"
RANGES = ("last 24 hours", "last 7 days", "last 30 days", "last 90 days")

RECORDER = """
() => {
  const log = { choice: 0, painted: [] };
  window.paintedLog = log;
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, (event) => { log.choice = event.timeStamp; }, { capture: true });
  }
  let wasBusy = false;
  const look = () => {
    const grid = document.querySelector("[role=grid]");
    const isBusy = grid?.getAttribute("aria-busy") === "true";
    if (wasBusy && !isBusy) {
      const since = log.choice;
      requestAnimationFrame(() => {
        // A message is handled after the frame that is being made now has been painted.
        const channel = new MessageChannel();
        channel.port1.onmessage = () => log.painted.push(performance.now() - since);
        channel.port2.postMessage(0);
      });
    }
    wasBusy = isBusy;
  };
  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["aria-busy"],
  });
}
"""
Choice = Callable[[], Awaitable[None]]


class Found(msgspec.Struct):
    """What was measured: milliseconds by filter, and of the page's tasks, the longest first."""

    painted_ms: dict[str, list[float]] = {}
    tasks_ms: list[float] = []
    tasks_cpu_ms: list[float] = []

    @property
    def all_ms(self) -> list[float]:
        """Return all of them, the shortest first."""
        return sorted(itertools.chain.from_iterable(self.painted_ms.values()))


async def fill(url: str, folder: Path, rows: int) -> None:
    """Give a fresh database so many calls of the last thirty days, of several providers."""
    start_us = SystemClock().now_us() // DAY_US * DAY_US
    await make_schema(url)
    write_spool(folder / "samples", SAMPLES, KEYS, "bench-samples", start_us)
    await drain(url, folder / "samples", SAMPLES, None)
    database = Database.open(url, EngineSettings(postgres_statement_timeout_s=None))
    try:
        async with database.write() as unit:
            for statement in _varied():
                await unit.connection.exec_driver_sql(statement)
        await prefill(url, rows, start_us)
        await spread(database, start_us)
        if database.dialect == "postgresql":
            async with database.write() as unit:
                await unit.connection.exec_driver_sql("ANALYZE")
        await database.checkpoint()
    finally:
        await database.close()


def _varied() -> Iterator[str]:
    """Yield what makes one provider's calls those of several, the same in details and sums."""
    place = "CAST(substr(project, 9) AS INTEGER)"
    provider = _one_of(f"{place} % {len(PROVIDERS)}", PROVIDERS)
    model = _one_of(f"{place} % {len(MODELS)}", MODELS)
    upstream = f"CASE WHEN project = 'project-7' THEN '{UPSTREAM}'"
    of_failed = "(SELECT dimension_id FROM dimensions WHERE project = 'project-49')"
    yield joined(
        "UPDATE dimensions SET provider =",
        f"{provider}, model = {model}, route = {model},",
        f"upstream_provider = {upstream} ELSE '' END",
    )
    yield joined(
        "UPDATE call_details SET actual_provider_name =",
        f"{provider}, label = {model}, requested_model = {model},",
        f"upstream_provider_name = {upstream} END",
    )
    yield "UPDATE call_details SET tags = '[\"team:web\"]' WHERE project = 'project-3'"
    yield "UPDATE call_details SET status = 'FAILED' WHERE project = 'project-49'"
    for table in ("rollups_by_call", "rollups_by_call_daily"):
        yield joined(
            "UPDATE",
            table,
            "SET failed = completed, completed = 0 WHERE dimension_id IN",
            of_failed,
        )


def _one_of(number: str, words: Sequence[str]) -> str:
    cases = " ".join(f"WHEN {place} THEN '{word}'" for place, word in enumerate(words))
    return f"CASE {number} {cases} END"


class Reader:
    """Somebody who narrows the list; what is measured is kept."""

    def __init__(self, page: Page, rounds: int) -> None:
        self.page = page
        self.found = Found()
        self._rounds = rounds
        self._draw = random.Random(1)
        self._asked: set[tuple[str, ...]] = set()

    async def read(self) -> None:
        """Go through all filters, again and again."""
        for number in range(self._rounds):
            span = RANGES[number % len(RANGES)]
            await self._span(span)
            await self._one_round(number, span)
            # With a filter that nobody else has: whatever time comes next is new as well.
            await self._timed("customer", self._customer(number))
            following = RANGES[(number + 1) % len(RANGES)]
            await self._timed("time", lambda span=following: self._span(span))
            await self._clear()

    async def _one_round(self, number: int, span: str) -> None:
        provider, model = number // len(RANGES) % len(PROVIDERS), number % len(MODELS)
        key, user = (f"{self._draw.randrange(40)}" for _ in "ab")
        choices: tuple[tuple[str, str, Choice], ...] = (
            ("provider", SHOWN[provider], lambda: self._select("Provider", SHOWN[provider])),
            ("model", MODELS[model], lambda: self._select("Model", MODELS[model])),
            ("status", "failed", lambda: self._select("Status", "failed")),
            ("key", key, lambda: self._select("Key", None, int(key))),
            ("user", user, lambda: self._select("User", None, int(user))),
            ("tag", "", lambda: self._type("Tag", "team:web", enter=True)),
            ("upstream", "", lambda: self._type("Upstream provider", UPSTREAM)),
        )
        for name, value, choose in choices:
            if (span, name, value) in self._asked:
                continue  # kept by the page: it would be shown at once
            self._asked.add((span, name, value))
            await self._timed(name, choose)
            await self._clear()

    def _customer(self, number: int) -> Choice:
        return lambda: self._type("Customer", f"customer-{number * 7}", enter=True)

    async def _timed(self, name: str, choose: Choice) -> None:
        count = await self.page.evaluate("paintedLog.painted.length")
        await choose()
        await self.page.wait_for_function(
            "count => paintedLog.painted.length > count", arg=count, polling=50
        )
        # What was typed before the last letter may have been asked for as well.
        await self._quiet()
        ms = await self.page.evaluate("paintedLog.painted.at(-1)")
        self.found.painted_ms.setdefault(name, []).append(ms)

    async def _quiet(self) -> None:
        await self.page.wait_for_load_state("networkidle")
        await expect(self.page.locator("[role=grid] [data-place]").first).to_be_visible()

    async def _clear(self) -> None:
        clear = self._saying("button", "Clear")
        if await clear.count():
            await clear.click()
            await expect(clear).to_have_count(0)
        await self._quiet()

    def _saying(self, selector: str, text: str) -> Locator:
        """Return what says just that."""
        return self.page.locator(selector, has_text=re.compile(f"^{re.escape(text)}$"))

    async def _span(self, span: str) -> None:
        await self.page.locator("button[aria-label^='Time:']").click()
        await self._saying("[role=menuitem]", span).click()

    async def _select(self, label: str, name: str | None, place: int = 0) -> None:
        """Choose by the name, or the one at a place of the list."""
        field = self.page.locator(f"input[aria-label='{label}']")
        await field.click()
        if name is None:
            await self.page.locator("[role=option]:visible").nth(place).click()
            return
        await field.press_sequentially(name[:4], delay=TYPED_EVERY_MS)
        await self._saying("[role=option]:visible", name).click()

    async def _type(self, label: str, text: str, *, enter: bool = False) -> None:
        """Type it, and say by Enter that this is all, or let the field wait for more."""
        await self._saying("button", "Filter").click()
        await self._saying("[role=menuitem]", label).click()
        field = self.page.locator(f"input[aria-label='{label}']")
        await field.press_sequentially(text, delay=TYPED_EVERY_MS)
        if enter:
            await field.press("Enter")


async def _open(browser: Browser, url: str) -> Page:
    """Sign in as a person does, and come to the list."""
    context = await browser.new_context(
        base_url=url,
        viewport={"width": DESK[0], "height": DESK[1]},
        timezone_id="UTC",
        locale="en-GB",
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    await page.goto("/logs")
    await page.get_by_label("User name").fill("admin")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("grid").get_by_role("row").nth(1)).to_be_visible(timeout=WAIT_MS)
    await page.evaluate(RECORDER)
    return page


async def _read(url: str, rounds: int) -> Found:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await _open(browser, url)
            await browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
            reader = Reader(page, rounds)
            await reader.read()
            trace: dict[str, Any] = json.loads(await browser.stop_tracing())
            reader.found.tasks_ms = tasks_ms(trace["traceEvents"], "dur")
            reader.found.tasks_cpu_ms = tasks_ms(trace["traceEvents"], "tdur")
            return reader.found
        finally:
            await browser.close()


def tasks_ms(events: Sequence[dict[str, Any]], measure: str) -> list[float]:
    """Return how long the tasks of pages' main threads took, the longest first.

    By the clock (`dur`), or what they had of a processor (`tdur`): the same on a quiet machine.
    """
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    found = [
        event[measure] / 1000
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in main
        if measure in event
    ]
    return sorted(found, reverse=True)


async def _measure(url: str, folder: Path, rows: int, rounds: int) -> Found:
    if not (folder / "filled").exists():
        await fill(url, folder, rows)
        (folder / "filled").touch()
    async with AsyncExitStack() as stack:
        node = ServedNode(folder, "", url, {"admin_password": PASSWORD})
        stack.callback(node.stop)
        await node.start()
        return await _read(node.url, rounds)


def measure_one(kind: str, rows: int, rounds: int, kept: Path | None = None) -> Found:
    """Measure in books of so many calls; with `kept`, SQLite's stay there for the next time."""
    folder = kept or Path(tempfile.mkdtemp(prefix="tollbridge-painted-"))
    folder.mkdir(parents=True, exist_ok=True)
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        return asyncio.run(_measure(url, folder, rows, rounds))
    finally:
        if server is not None:
            server.stop()
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def figures_of(kind: str, rows: int, found: Found) -> list[Figure]:
    """Return what was measured beside the bounds."""
    all_ms = found.all_ms
    name = f"{kind}, {rows:,} rows, {len(all_ms)} filters"
    longest, cpu = (max(ms, default=0.0) for ms in (found.tasks_ms, found.tasks_cpu_ms))
    return [
        Figure("painted", f"{name}: filter to painted, p50", statistics.median(all_ms), "ms"),
        Figure("painted", f"{name}: filter to painted, p95", p95(all_ms), "ms", BOUND_MS),
        Figure("painted", f"{name}: longest task", longest, "ms", TASK_BOUND_MS),
        Figure("painted", f"{name}: CPU of the longest task", cpu, "ms"),
    ]


def p95(values: Sequence[float]) -> float:
    """Return the value that at most one in twenty is above; there is at least one."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * SHARE_P95))]


def measure(*, quick: bool, rows: int = 0) -> list[Figure]:
    """Return the figures of the lane, for both databases."""
    count = rows or (ROWS_QUICK if quick else ROWS)
    rounds = ROUNDS_QUICK if quick else ROUNDS
    return [
        figure
        for kind in DATABASES
        for figure in figures_of(kind, count, measure_one(kind, count, rounds))
    ]


def main() -> None:
    """Measure one database and print each filter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, help="where SQLite's books are kept, or found")
    chosen = parser.parse_args()
    kept = chosen.folder if chosen.database == "sqlite" else None
    found = measure_one(chosen.database, chosen.rows, chosen.rounds, kept)
    for name, ms in found.painted_ms.items():
        print(
            f"{name:<10}{len(ms):4} times  p50 {statistics.median(ms):7.1f} ms"
            f"  p95 {p95(ms):7.1f}  slowest {max(ms):7.1f}"
        )
    print("longest tasks:", ", ".join(f"{ms:.0f} ms" for ms in found.tasks_ms[:8]))
    for figure in figures_of(chosen.database, chosen.rows, found):
        bound = "" if figure.bound is None else f"  bound {figure.bound:.0f}"
        print(f"{figure.name}: {figure.value:.1f} {figure.unit}{bound}")


if __name__ == "__main__":
    main()
