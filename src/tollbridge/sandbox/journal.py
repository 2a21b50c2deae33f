"""What did the provider really receive, send and bill?

The log is written from the provider's side, so that a gateway's books can be checked against it
to the last token. In a file it is JSON lines, one `os.write` each: `received` when a request's
head is there, `finished` when its answer has ended; a reader folds them by run and sequence.
"""

import os
from collections import deque
from decimal import Decimal
from pathlib import Path

import msgspec

from tollbridge.core.clock import Clock
from tollbridge.sandbox.usage import Usage

MODELS_TALLIED_MAX = 1000
OTHER_MODELS = "(other)"


class LogEntry(msgspec.Struct, kw_only=True):
    """One request.

    `outcome` is open, complete, cut, aborted_by_client or error:<status> (error:200 for an error
    frame inside a stream). `usage` is what the provider bills, None if nothing;
    `usage_reported` the usage object that went out whole, None if none did.
    `status` is the status sent, None before the head. `key_suffix` holds four characters.
    `units` is what is billed beside tokens (unit → whole number: image, video_ms, character …),
    `billed_usd` the amount that a provider which states amounts has stated, or would have.
    A submitted task bills on the entry of its submit; `task_id` names it.
    """

    event: str = "received"
    run: int
    sequence: int
    client_request_id: str | None
    key_suffix: str
    path: str
    dialect: str = "openai"
    operation: str = ""
    model: str | None = None
    stream: bool = False
    status: int | None = None
    outcome: str = "open"
    usage: Usage | None = None
    usage_reported: dict[str, object] | None = None
    units: dict[str, int] = {}
    billed_usd: Decimal | None = None
    task_id: str | None = None
    chunks_sent: int = 0
    started_at_us: int
    ended_at_us: int | None = None


class Tally(msgspec.Struct):
    """Sums over the finished requests; `received` also counts those under way."""

    received: int = 0
    finished: int = 0
    outcomes: dict[str, int] = {}
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    prompt_audio_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    prompt_image_tokens: int = 0
    completion_image_tokens: int = 0
    chunks_sent: int = 0
    units: dict[str, int] = {}
    billed_usd: Decimal = Decimal(0)

    def add(self, entry: LogEntry) -> None:
        """Count one finished request."""
        self.finished += 1
        self.outcomes[entry.outcome] = self.outcomes.get(entry.outcome, 0) + 1
        self.chunks_sent += entry.chunks_sent
        self.count_units(entry, 1)
        usage = entry.usage
        if usage is not None:
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
            self.cached_tokens += usage.cached_tokens
            self.prompt_audio_tokens += usage.prompt_audio_tokens
            self.reasoning_tokens += usage.reasoning_tokens
            self.completion_audio_tokens += usage.completion_audio_tokens
            self.cache_write_tokens += usage.cache_write_tokens
            self.cache_write_1h_tokens += usage.cache_write_1h_tokens
            self.prompt_image_tokens += usage.prompt_image_tokens
            self.completion_image_tokens += usage.completion_image_tokens

    def count_units(self, entry: LogEntry, sign: int) -> None:
        """Add (or, with -1, take back) the units and the amount of an entry."""
        for unit, count in entry.units.items():
            self.units[unit] = self.units.get(unit, 0) + sign * count
        if entry.billed_usd is not None:
            self.billed_usd += sign * entry.billed_usd


class Journal:
    """The log in memory (the newest `entries_max`), in a file if one is named, and the tallies."""

    def __init__(
        self, clock: Clock, *, path: Path | None = None, entries_max: int = 100_000
    ) -> None:
        self._clock = clock
        self._run = clock.now_us()
        self._sequence = 0
        self._encode = msgspec.json.Encoder().encode
        self._file: int | None = None
        if path is not None:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.entries: deque[LogEntry] = deque(maxlen=entries_max)
        self.tally = Tally()
        self.tally_by_model: dict[str, Tally] = {}
        self.tally_by_dialect: dict[str, Tally] = {}

    def open(self, path: str, client_request_id: str | None, key_suffix: str) -> LogEntry:
        """Begin the entry of a request whose head has arrived."""
        self._sequence += 1
        entry = LogEntry(
            run=self._run,
            sequence=self._sequence,
            client_request_id=client_request_id,
            key_suffix=key_suffix,
            path=path,
            started_at_us=self._clock.now_us(),
        )
        self.entries.append(entry)
        self.tally.received += 1
        self._write(entry)
        return entry

    def close(self, entry: LogEntry) -> None:
        """End an entry; one that is still open was broken off by the sandbox itself."""
        if entry.outcome == "open":
            entry.outcome = "cut"
        entry.event = "finished"
        entry.ended_at_us = self._clock.now_us()
        self.tally.add(entry)
        for tally in self._parts(entry):
            tally.received += 1
            tally.add(entry)
        self._write(entry)

    def amend(self, entry: LogEntry, units: dict[str, int], billed_usd: Decimal | None) -> None:
        """Change what an ended submit bills, because its task has ended otherwise.

        The file gets a second line of it; a reader keeps the last.
        """
        for tally in (self.tally, *self._parts(entry)):
            tally.count_units(entry, -1)
        entry.units = units
        entry.billed_usd = billed_usd
        for tally in (self.tally, *self._parts(entry)):
            tally.count_units(entry, 1)
        self._write(entry)

    def reset(self) -> None:
        """Forget entries and tallies; the file stays, and the sequence goes on."""
        self.entries.clear()
        self.tally = Tally()
        self.tally_by_model = {}
        self.tally_by_dialect = {}

    def shut(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _parts(self, entry: LogEntry) -> list[Tally]:
        """Return the tallies of parts that an entry is counted in."""
        parts = [self.tally_by_dialect.setdefault(entry.dialect, Tally())]
        if entry.model is not None:
            parts.append(self._tally_of(entry.model))
        return parts

    def _tally_of(self, model: str) -> Tally:
        """Return the tally of a model; any name is served, so beyond a limit they share one."""
        tally = self.tally_by_model.get(model)
        if tally is None:
            name = model if len(self.tally_by_model) < MODELS_TALLIED_MAX else OTHER_MODELS
            tally = self.tally_by_model.setdefault(name, Tally())
        return tally

    def _write(self, entry: LogEntry) -> None:
        if self._file is not None:
            os.write(self._file, self._encode(entry) + b"\n")


def read_log(path: Path) -> list[LogEntry]:
    """Read a log file: one entry per request, its latest state, in order of arrival.

    A line without its end (the process died while writing it) is skipped.
    """
    decoder = msgspec.json.Decoder(LogEntry)
    entries: dict[tuple[int, int], LogEntry] = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            entry = decoder.decode(line)
            entries[entry.run, entry.sequence] = entry
    return list(entries.values())
