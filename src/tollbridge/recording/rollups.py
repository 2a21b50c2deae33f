"""Which sums does a batch of calls change, and by how much?

Two families over the same quarter hours: by call (the serving provider) and by attempt (the
attempted one). Both are folds of the rows in `call_details` and `call_attempts`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from hashlib import blake2b

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome
from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.evidence import Opened
from tollbridge.core.usage import UsageSource
from tollbridge.recording.details import Tokens, milliseconds
from tollbridge.recording.tables import CALL_MEASURES, PROVIDER_LENGTH_MAX

QUARTER_US = 15 * 60 * 1_000_000
DAYS_CACHED_MAX = 10_000
BY_CALL = "rollups_by_call"
BY_ATTEMPT = "rollups_by_attempt"
BY_CALLER: Mapping[str, str] = {
    BY_CALL: "rollups_by_caller_daily",
    BY_ATTEMPT: "rollups_by_caller_attempt_daily",
}
"""Family → its sums of a day with users and keys."""
FAMILIES = (
    *(f"{family}{grain}" for family in BY_CALLER for grain in ("", "_quarterly", "_daily")),
    *BY_CALLER.values(),
)
"""In the order in which everybody writes them, so that no two wait in a circle."""
HISTOGRAM = "rollup_latency"
CALL_MEASURES_COUNT = len(CALL_MEASURES)

Dimension = tuple[str, ...]
"""The values of tables.DIMENSION_COLUMNS."""
Ids = tuple[int, int]
"""The id of a dimension, and of the same one without user and key."""
Measures = tuple[int, ...]
"""In the order of the table's columns."""
Row = tuple[int, ...]
"""A roll-up's row: start of the interval, dimension id, measures."""
Buckets = dict[tuple[int, int, int], int]
"""(start of the quarter hour, dimension id, bucket) → count."""
Parts = dict[tuple[int, Ids], list[Measures]]
"""(start of the quarter hour, ids) → measures of calls."""

FAILURES = frozenset({AttemptOutcome.FAILED, AttemptOutcome.BROKE})
UNKNOWN = frozenset({AttemptOutcome.UNKNOWN, AttemptOutcome.CUT_SHORT})
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


def status_class(http_status: int | None) -> str:
    """Return `2xx` for 200, `none` where there was no answer."""
    if http_status is None or not 100 <= http_status < 600:
        return "none"
    return _STATUS_CLASSES[http_status // 100]


def request_count_of(opened: Opened) -> int:
    """Return how many requests a row stands for: 1, but for some reports of other gateways."""
    return 1 if opened.report is None else opened.report.request_count


def quarter_start(at_us: int) -> int:
    """Return the start of the quarter hour that holds an instant, in microseconds."""
    return at_us - at_us % QUARTER_US


def latency_bucket(value_ms: int) -> int:
    """Return the index of the histogram's bucket: eight per doubling, exact below 16 ms."""
    if value_ms < 8:
        return value_ms
    shift = value_ms.bit_length() - 4
    return (shift << 3) + (value_ms >> shift)


def bucket_bounds(index: int) -> tuple[int, int]:
    """Return the milliseconds [from, to) that a bucket of the histogram counts."""
    if index < 16:
        return index, index + 1
    shift = (index >> 3) - 1
    return ((index & 7) + 8) << shift, ((index & 7) + 9) << shift


def dimension_id(dimension: Dimension) -> int:
    """Return the id of a dimension: 63 bits of a hash of its values.

    Computed, so that any node finds the same one without asking. Of a million dimensions, two
    share an id with a chance of 1 in 18 million; they would be shown as one.
    """
    text = "\x1f".join(dimension).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def coarse(dimension: Dimension) -> Dimension:
    """Return a dimension without user and key."""
    return (*dimension[:8], "", "", "", *dimension[11:])


class Dimensions:
    """The ids of the dimensions seen of late, and which of them the database surely has.

    Two generations, so that what is used stays and the memory is bounded: once the younger is
    full it becomes the older, and what is then not asked for is forgotten.
    """

    def __init__(self, cached_max: int) -> None:
        self._generation_max = max(1, cached_max // 2)
        self._young: dict[Dimension, Ids] = {}
        self._old: dict[Dimension, Ids] = {}

    def get(self, dimension: Dimension) -> Ids | None:
        """Return the ids of a dimension that is in the database, None where that is not known."""
        ids = self._young.get(dimension)
        if ids is None:
            ids = self._old.get(dimension)
            if ids is not None:
                self._keep(dimension, ids)
        return ids

    def committed(self, fresh: dict[Dimension, Ids]) -> None:
        """Remember dimensions that are in the database from now on."""
        for dimension, ids in fresh.items():
            self._keep(dimension, ids)

    def _keep(self, dimension: Dimension, ids: Ids) -> None:
        if len(self._young) >= self._generation_max:
            self._old = self._young
            self._young = {}
        self._young[dimension] = ids


class Days:
    """Which day of the billing time zone does a quarter hour belong to?"""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._starts: dict[int, int] = {}

    def start(self, quarter_us: int) -> int:
        """Return the start of the day that holds the quarter hour, in microseconds."""
        found = self._starts.get(quarter_us)
        if found is None:
            local = to_datetime(quarter_us).astimezone(self._zone)
            found = to_us(datetime(local.year, local.month, local.day, tzinfo=self._zone))
            if len(self._starts) >= DAYS_CACHED_MAX:
                self._starts.clear()
            self._starts[quarter_us] = found
        return found


class Fold:
    """The sums of one batch, to be added to the roll-ups."""

    def __init__(self, known: Dimensions, days: Days) -> None:
        self._known = known
        self._days = days
        self._plain: Parts = {}
        self._calls: Parts = {}
        self._attempts: Parts = {}
        self.fresh: dict[Dimension, Ids] = {}
        """Dimensions that the database may not have yet."""
        self.latency: Buckets = {}
        self.first_byte: Buckets = {}
        self.provider_costs: dict[str, int] = {}

    def add_plain(
        self, attempt: AttemptAccount, ids: Ids, of_call: Measures, accounted_at_us: int
    ) -> None:
        """Add a call whose only attempt has its dimension and did not fail.

        `of_call`: CALL_MEASURES.
        """
        seen, cost_nanousd = attempt.evidence, attempt.rated.cost_nanousd
        quarter_us = accounted_at_us - accounted_at_us % QUARTER_US
        started_at_us, ended_at_us = seen.started_at_us, seen.ended_at_us
        first_byte_at_us = seen.first_byte_at_us
        latency_ms = first_byte_ms = 0
        if ended_at_us is not None:
            latency_ms = max(0, (ended_at_us - started_at_us + 500) // 1000)
            key = (quarter_us, ids[1], latency_bucket(latency_ms))
            self.latency[key] = self.latency.get(key, 0) + 1
        if first_byte_at_us is not None:
            first_byte_ms = max(0, (first_byte_at_us - started_at_us + 500) // 1000)
            key = (quarter_us, ids[1], latency_bucket(first_byte_ms))
            self.first_byte[key] = self.first_byte.get(key, 0) + 1
        measures = (
            *of_call,
            latency_ms,
            0 if ended_at_us is None else 1,
            first_byte_ms,
            0 if first_byte_at_us is None else 1,
        )
        part = (quarter_us, ids)
        rows = self._plain.get(part)
        if rows is None:
            self._plain[part] = [measures]
        else:
            rows.append(measures)
        if cost_nanousd:
            costs = self.provider_costs
            costs[seen.provider] = costs.get(seen.provider, 0) + cost_nanousd

    def add(
        self,
        account: CallAccount,
        ids: Ids,
        of_call: Measures,
        tokens_of_attempts: Sequence[Tokens],
    ) -> None:
        """Add any call with its attempts, given its CALL_MEASURES and the tokens of each."""
        quarter_us = account.accounted_at_us - account.accounted_at_us % QUARTER_US
        self._calls.setdefault((quarter_us, ids), []).append(of_call)
        for attempt, counts in zip(account.attempts, tokens_of_attempts, strict=True):
            self._add_attempt(account, attempt, counts, quarter_us)

    def rows(self) -> Mapping[str, list[Row]]:
        """Return by table the rows to be added, in key order and one for each key."""
        tables = {name: list[Row]() for name in FAMILIES}
        self._add_plain_rows(tables)
        # Calls that are not plain are few; what they add to a plain call's row is merged into it.
        for family, parts in ((BY_CALL, self._calls), (BY_ATTEMPT, self._attempts)):
            for (quarter_us, ids), found in parts.items():
                added = _added(found)
                day_us = self._days.start(quarter_us)
                tables[family].append((quarter_us, ids[0], *added))
                tables[f"{family}_quarterly"].append((quarter_us, ids[1], *added))
                tables[f"{family}_daily"].append((day_us, ids[1], *added))
                tables[BY_CALLER[family]].append((day_us, ids[0], *added))
        merged = {name: _merged(rows) for name, rows in tables.items()}
        merged.update(histograms(self.latency, self.first_byte, self._days))
        return merged

    def _add_plain_rows(self, tables: Mapping[str, list[Row]]) -> None:
        calls, attempts = tables[BY_CALL], tables[BY_ATTEMPT]
        callers, trying = tables[BY_CALLER[BY_CALL]], tables[BY_CALLER[BY_ATTEMPT]]
        of_quarters: dict[tuple[int, int], list[Measures]] = {}
        for (quarter_us, ids), found in self._plain.items():
            added = found[0] if len(found) == 1 else _added(found)
            of_calls, of_attempts = added[:CALL_MEASURES_COUNT], _of_attempts(added)
            day_us = self._days.start(quarter_us)
            calls.append((quarter_us, ids[0], *of_calls))
            attempts.append((quarter_us, ids[0], *of_attempts))
            callers.append((day_us, ids[0], *of_calls))
            trying.append((day_us, ids[0], *of_attempts))
            quarter = quarter_us, ids[1]
            parts = of_quarters.get(quarter)
            if parts is None:
                of_quarters[quarter] = [added]
            else:
                parts.append(added)
        for (quarter_us, coarse_id), found in of_quarters.items():
            added = _added(found)
            of_calls, of_attempts = added[:CALL_MEASURES_COUNT], _of_attempts(added)
            day_us = self._days.start(quarter_us)
            for family, sums in ((BY_CALL, of_calls), (BY_ATTEMPT, of_attempts)):
                tables[f"{family}_quarterly"].append((quarter_us, coarse_id, *sums))
                tables[f"{family}_daily"].append((day_us, coarse_id, *sums))

    def ids(self, dimension: Dimension) -> Ids:
        """Return the ids of a dimension; one that the database may not have is `fresh`."""
        ids = self._known.get(dimension) or self.fresh.get(dimension)
        if ids is None:
            ids = dimension_id(dimension), dimension_id(coarse(dimension))
            self.fresh[dimension] = ids
        return ids

    def _add_attempt(
        self, account: CallAccount, attempt: AttemptAccount, tokens: Tokens, quarter_us: int
    ) -> None:
        opened = account.evidence.opened
        caller, seen, usage = opened.caller, attempt.evidence, attempt.usage
        cost_nanousd = attempt.rated.cost_nanousd
        ids = self.ids(
            (
                seen.provider[:PROVIDER_LENGTH_MAX],
                (attempt.attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX],
                str(opened.bucket),
                str(opened.category),
                str(opened.operation),
                seen.model,
                opened.label,
                caller.project,
                caller.user,
                caller.key_id,
                caller.key_name,
                status_class(seen.http_status),
                str(usage.source),
            )
        )
        latency_ms = milliseconds(seen.started_at_us, seen.ended_at_us)
        first_byte_ms = milliseconds(seen.started_at_us, seen.first_byte_at_us)
        requests = request_count_of(opened)
        measures = (
            requests,
            requests if seen.outcome in FAILURES else 0,
            requests if seen.outcome in UNKNOWN else 0,
            requests if cost_nanousd is None else 0,
            requests if usage.source is UsageSource.ESTIMATED else 0,
            *[count or 0 for count in tokens],
            cost_nanousd or 0,
            latency_ms or 0,
            0 if latency_ms is None else 1,
            first_byte_ms or 0,
            0 if first_byte_ms is None else 1,
        )
        self._attempts.setdefault((quarter_us, ids), []).append(measures)
        if latency_ms is not None:
            key = (quarter_us, ids[1], latency_bucket(latency_ms))
            self.latency[key] = self.latency.get(key, 0) + 1
        if first_byte_ms is not None:
            key = (quarter_us, ids[1], latency_bucket(first_byte_ms))
            self.first_byte[key] = self.first_byte.get(key, 0) + 1
        if cost_nanousd:
            costs = self.provider_costs
            costs[seen.provider] = costs.get(seen.provider, 0) + cost_nanousd


def histograms(latency: Buckets, first_byte: Buckets, days: Days) -> dict[str, list[Row]]:
    """Return by table the rows of the histograms, in key order, without those of nothing."""
    fine = {key: (latency.get(key, 0), first_byte.get(key, 0)) for key in {**latency, **first_byte}}
    daily: dict[tuple[int, int, int], tuple[int, int]] = {}
    for (quarter_us, dimension, index), counts in fine.items():
        key = (days.start(quarter_us), dimension, index)
        known = daily.get(key)
        daily[key] = counts if known is None else (known[0] + counts[0], known[1] + counts[1])
    return {
        name: [(*key, *table[key]) for key in sorted(table) if any(table[key])]
        for name, table in ((HISTOGRAM, fine), (f"{HISTOGRAM}_daily", daily))
    }


def _of_attempts(of_plain: Measures) -> Measures:
    """Return the ATTEMPT_MEASURES of plain calls: none failed, the rest is as of the calls."""
    return (of_plain[0], 0, 0, *of_plain[3:11], *of_plain[CALL_MEASURES_COUNT:])


def _merged(rows: list[Row]) -> list[Row]:
    """Return rows in key order, those of the same key as one."""
    rows.sort()
    merged: list[Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last is not None and last[0] == row[0] and last[1] == row[1]:
            merged[-1] = (*row[:2], *_added([last[2:], row[2:]]))
        else:
            merged.append(row)
    return merged


def _added(rows: Sequence[Measures]) -> Measures:
    return rows[0] if len(rows) == 1 else tuple([sum(column) for column in zip(*rows, strict=True)])
