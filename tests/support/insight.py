"""What insight must answer: each number counted plainly from the calls and their attempts."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast

import msgspec

from tests.support.control import Plane
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.core.call import Bucket, Operation
from tollbridge.core.clock import SECOND_US, to_datetime, to_text
from tollbridge.core.sight import Sight, covers
from tollbridge.insight.axes import Axis, Group, Slice, Sums
from tollbridge.insight.log_queries import read_log
from tollbridge.insight.queries import find_call
from tollbridge.insight.usage import AttemptRow, CallFilter, CallRow, CallWhole
from tollbridge.recording.rollups import bucket_bounds, latency_bucket, status_class
from tollbridge.storage.unit import Database

QUARTER_US = 900 * SECOND_US
FAILED = frozenset({"failed", "broke"})
UNANSWERED = frozenset({"unknown", "cut_short"})
OF_ATTEMPTS = frozenset({Axis.PROVIDER, Axis.UPSTREAM, Axis.MODEL})


async def every_call(database: Database) -> list[CallWhole]:
    """Return all calls with all that is known of them."""
    async with database.read() as unit:
        page = await read_log(unit, CallFilter(), UTC, 5000)
        found = [await find_call(unit, row.call_id) for row in page.rows]
    return [one for one in found if one is not None]


class Books(msgspec.Struct):
    """All calls, and what they come to by any grouping."""

    calls: Sequence[CallWhole]
    zone: tzinfo = UTC

    def meant(self, wanted: Slice) -> list[CallWhole]:
        """Return the calls of a time that may be seen and have what all attempts share."""
        return [
            one
            for one in self.calls
            if wanted.from_us <= (one.call.accounted_at_us or 0) < wanted.to_us
            and covers(wanted.sight, one.call.user, one.call.project)
            and all(
                set(self._of_call(axis, one.call)) & set(values)
                for axis, values in wanted.only.items()
                if axis not in {*OF_ATTEMPTS, Axis.STATUS_CLASS, Axis.USAGE_SOURCE}
            )
        ]

    def served(self, wanted: Slice) -> list[CallWhole]:
        """Return the calls that are meant, by who served them too."""
        return [one for one in self.meant(wanted) if self._passes(one.call, None, wanted)]

    def attempts(self, wanted: Slice) -> list[tuple[CallRow, AttemptRow]]:
        """Return the attempts that are meant, each with its call."""
        return [
            (one.call, attempt)
            for one in self.meant(wanted)
            for attempt in one.attempts
            if self._passes(one.call, attempt, wanted)
        ]

    def sums(
        self, wanted: Slice, axes: Sequence[Axis], *, calls_only: bool = False
    ) -> tuple[dict[Group, Sums], Sums]:
        """Return the sums of each group and of all; `calls_only`: all by call."""
        by_attempt = not calls_only and bool(OF_ATTEMPTS.intersection((*axes, *wanted.only)))
        groups: dict[Group, Sums] = {}
        total = Sums()
        for one in self.meant(wanted):
            if self._passes(one.call, None, wanted):
                for sums in (total, *self._groups(groups, axes, one.call, None)):
                    _add_call(sums, one.call, with_cost=not by_attempt)
            for attempt in () if calls_only else one.attempts:
                if self._passes(one.call, attempt, wanted):
                    for sums in (total, *self._groups(groups, axes, one.call, attempt)):
                        _add_attempt(sums, attempt, with_cost=by_attempt)
        return groups, total

    def percentile(self, wanted: Slice, field: str, part: float, **named: str) -> int | None:
        """Return the middle of the bucket that a percentile of all attempts lies in."""
        values = sorted(
            value
            for call, attempt in self.attempts(wanted)
            for value in [getattr(attempt, field)]
            if value is not None
            and named.get("provider", attempt.provider) == attempt.provider
            and named.get("category", call.category) == call.category
        )
        if not values:
            return None
        place = max(1, -(-int(part * 100) * len(values) // 100))
        low, high = bucket_bounds(latency_bucket(values[place - 1]))
        return (low + high - 1) // 2

    def flows(self, wanted: Slice) -> dict[tuple[str, str], list[int]]:
        """Return (expected, actual) → calls and completed ones."""
        found: dict[tuple[str, str], list[int]] = {}
        for one in self.meant(wanted):
            call = one.call
            actual = call.actual_provider_name or ""
            expected = (call.expected_provider or "") if call.attempt_count > 1 else actual
            counts = found.setdefault((expected, actual), [0, 0])
            counts[0] += 1
            counts[1] += call.status == "COMPLETED"
        return found

    def _passes(self, call: CallRow, attempt: AttemptRow | None, wanted: Slice) -> bool:
        return all(
            self._value(axis, call, attempt)[0] in values
            for axis, values in wanted.only.items()
            if axis in {*OF_ATTEMPTS, Axis.STATUS_CLASS, Axis.USAGE_SOURCE}
        )

    def _groups(
        self,
        groups: dict[Group, Sums],
        axes: Sequence[Axis],
        call: CallRow,
        attempt: AttemptRow | None,
    ) -> Iterable[Sums]:
        names: list[Group] = [()]
        for axis in axes:
            names = [(*name, value) for name in names for value in self._value(axis, call, attempt)]
        return [groups.setdefault(name, Sums()) for name in names]

    def _value(self, axis: Axis, call: CallRow, attempt: AttemptRow | None) -> list[str]:
        if attempt is not None:
            own = {
                Axis.PROVIDER: attempt.provider,
                Axis.UPSTREAM: attempt.upstream_provider_name or "",
                Axis.MODEL: attempt.model,
                Axis.STATUS_CLASS: status_class(attempt.http_status),
                Axis.USAGE_SOURCE: attempt.usage_source or "",
            }
            if axis in own:
                return [own[axis]]
        return self._of_call(axis, call)

    def _of_call(self, axis: Axis, call: CallRow) -> list[str]:
        local = to_datetime(call.accounted_at_us or 0).astimezone(self.zone)
        values: dict[Axis, str | None] = {
            Axis.HOUR: _hour(local),
            Axis.DAY: f"{local:%Y-%m-%d}",
            Axis.WEEK: f"{local - timedelta(days=local.weekday()):%Y-%m-%d}",
            Axis.MONTH: f"{local:%Y-%m}",
            Axis.PROVIDER: call.actual_provider_name,
            Axis.UPSTREAM: call.upstream_provider_name,
            Axis.BUCKET: call.bucket,
            Axis.CATEGORY: call.category,
            Axis.OPERATION: call.operation,
            Axis.MODEL: call.requested_model,
            Axis.ROUTE: call.label,
            Axis.PROJECT: call.project,
            Axis.USER: call.user,
            Axis.KEY: call.key_name,
            Axis.STATUS_CLASS: status_class(call.http_status),
            Axis.USAGE_SOURCE: call.usage_source,
            Axis.STATUS: call.status,
            Axis.CUSTOMER: call.customer,
        }
        if axis is Axis.TAG:
            return list(dict.fromkeys(call.tags)) or [""]
        return [values[axis] or ""]


def _hour(local: datetime) -> str:
    start = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    return to_text((start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def _add_call(sums: Sums, call: CallRow, *, with_cost: bool) -> None:
    sums.calls += 1
    sums.completed += call.status == "COMPLETED"
    sums.failed += call.status != "COMPLETED"
    sums.charge_nanousd += call.charge_now_nanousd or 0
    if with_cost:
        _add_usage(sums, call.usage, call.usage_source)
        sums.cost_nanousd += (call.known_cost_nanousd or 0) + call.adjustment_nanousd
        sums.unpriced += call.cost_now_nanousd is None


def _add_attempt(sums: Sums, attempt: AttemptRow, *, with_cost: bool) -> None:
    sums.attempts += 1
    sums.failures += attempt.outcome in FAILED
    sums.unknown += attempt.outcome in UNANSWERED
    sums.latency_ms_sum += attempt.latency_ms or 0
    sums.latency_count += attempt.latency_ms is not None
    sums.first_byte_ms_sum += attempt.first_byte_ms or 0
    sums.first_byte_count += attempt.first_byte_ms is not None
    if with_cost:
        _add_usage(sums, attempt.usage, attempt.usage_source)
        sums.cost_nanousd += attempt.cost_nanousd or 0
        sums.unpriced += attempt.cost_nanousd is None


def _add_usage(sums: Sums, usage: dict[str, int], source: str | None) -> None:
    sums.input_tokens += usage.get("input", 0)
    sums.output_tokens += usage.get("output", 0)
    sums.cache_read_tokens += usage.get("cache_read", 0)
    sums.cache_write_tokens += usage.get("cache_write", 0)
    sums.reasoning_tokens += usage.get("reasoning", 0)
    sums.estimated += source == "estimated"


def a_spec(draw: random.Random) -> CallSpec:
    """Return a call as it may come."""
    key = draw.choice("abc")
    return CallSpec(
        at_us=NOON_US + draw.randrange(-30, 30) * draw.choice((1, 60, 900, 86_400)) * SECOND_US,
        provider=draw.choice(("openai", "openai", "nowhere", "groq")),
        model=draw.choice(("gpt-4o-mini", "gpt-4o")),
        label=draw.choice(("gpt-4o-mini", "alias")),
        user=draw.choice(("ada", "bob")),
        key_id=f"id-{key}",
        key_name=key,
        project=draw.choice(("main", "night")),
        bucket=draw.choice((Bucket.OPENAI, Bucket.VIDEO)),
        operation=draw.choice((Operation.CHAT_COMPLETION, Operation.EMBEDDING)),
        input_tokens=draw.randrange(1, 20_000),
        output_tokens=draw.randrange(1, 500),
        latency_ms=draw.randrange(1, 5_000),
        customer=draw.choice((None, "acme", "x")),
        tags=tuple(draw.sample(("red", "blue", "fast"), draw.randrange(3))),
        fails_first=draw.random() < 0.3,
        refused=draw.random() < 0.2,
        first_bills=draw.random() < 0.3,
    )


def a_slice(draw: random.Random) -> Slice:
    """Return a question as it may be asked: of whole days or not, of somebody or of all."""
    day_us = 96 * QUARTER_US
    start_us = NOON_US - 31 * day_us + draw.choice((0, day_us // 2, 3 * QUARTER_US))
    end_us = NOON_US + draw.choice((0, day_us // 2, 20 * day_us, QUARTER_US))
    values: dict[Axis, tuple[str, ...]] = {
        Axis.PROVIDER: ("openai",),
        Axis.MODEL: ("gpt-4o", "none"),
        Axis.CATEGORY: ("text",),
        Axis.USER: ("ada",),
        Axis.KEY: ("a", "b"),
        Axis.PROJECT: ("night",),
        Axis.USAGE_SOURCE: ("reported",),
        Axis.ROUTE: ("alias",),
    }
    only = {axis: values[axis] for axis in draw.sample(sorted(values), draw.choice((0, 0, 1, 2)))}
    sight = draw.choice((None, None, Sight("ada"), Sight("bob", ("night",))))
    return Slice(from_us=start_us, to_us=end_us, only=only, sight=sight)


async def filled(database: Database, draw: random.Random) -> Books:
    """Put calls into the books, and return them as they are there."""
    await record(database, [a_spec(draw) for _ in range(draw.randrange(1, 45))])
    return Books(await every_call(database))


async def get(
    plane: Plane,
    headers: dict[str, str],
    address: str,
    *,
    http_status: int = 200,
    **query: object,
) -> object:
    """Return what an address answers, which must be well unless said otherwise."""
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        pairs += [(name.rstrip("_"), str(one)) for one in values]
    answer = await plane.client.get(address, params=pairs, headers=headers)
    assert answer.status_code == http_status, answer.text
    return answer.json()
