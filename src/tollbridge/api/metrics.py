"""What does a node tell those who watch it, as Prometheus' families?

Names and units are Prometheus'; those that begin with `gen_ai` are OpenTelemetry's semantic
conventions for generative AI, with underscores for their dots.
"""

from collections.abc import Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tollbridge.api.figures import LimitFigures, OfficeFigures, SpanFigures, WorkerFigures
from tollbridge.recording.metrics import (
    OPERATION_OF,
    SYSTEM_OF,
    CallCounts,
    GroupKey,
    Histogram,
    cumulated,
)

USD_NANOUSD = 10**9


class FiguresCollector(Collector):
    """The figures of one moment, as Prometheus' families."""

    def __init__(self, figures: OfficeFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        figures = self._figures
        yield _gauge(
            "database_up", "Whether the last transaction succeeded.", figures.database_is_up
        )
        yield _gauge("workers_expected", "Workers of this node.", figures.workers_expected)
        yield _gauge("workers", "Workers that are linked.", len(figures.workers))
        yield _gauge(
            "spool_pending_records", "Records not drained yet.", figures.spool_pending_records
        )
        yield _gauge("spool_pending_bytes", "Bytes not drained yet.", figures.spool_pending_bytes)
        yield _gauge("drain_lag_seconds", "Age of the oldest such record.", figures.drain_lag_s)
        yield _gauge("quarantined_records", "Records in quarantine.", figures.quarantined)
        yield _gauge("open_calls", "Calls begun and not yet ended.", figures.open_calls)
        yield _counter(
            "unreadable_lines", "Spool lines that were no record.", figures.unreadable_lines
        )
        yield _counter("office_faults", "Errors of ours in the office.", figures.faults)
        jobs = figures.jobs
        yield _gauge("media_jobs_under_way", "Jobs begun and not yet ended.", jobs.under_way)
        yield _gauge("media_job_oldest_seconds", "Age of the oldest of them.", jobs.oldest_s)
        yield _gauge("media_jobs_stuck", "Jobs past their time, or met by faults.", jobs.stuck)
        yield from _of_workers(figures.workers)
        yield from _of_limits(figures.limits)
        if figures.spans is not None:
            yield from _of_spans(figures.spans)
        if figures.calls is not None:
            yield from _of_calls(figures.calls)
            yield from _of_models(figures.calls)


def _of_workers(workers: tuple[WorkerFigures, ...]) -> Iterator[Metric]:
    under_way = GaugeMetricFamily(
        "tollbridge_calls_under_way", "Calls being served.", labels=["worker"]
    )
    drains = GaugeMetricFamily(
        "tollbridge_drains_under_way", "Calls read on without a caller.", labels=["worker"]
    )
    room = GaugeMetricFamily(
        "tollbridge_spool_has_room", "Whether calls are let in.", labels=["worker"]
    )
    faults = CounterMetricFamily("tollbridge_worker_faults", "Errors of ours.", labels=["worker"])
    not_carried = CounterMetricFamily(
        "tollbridge_not_carried", "Requests for addresses that are not carried.", labels=["worker"]
    )
    breakers = GaugeMetricFamily(
        "tollbridge_breaker_open",
        "Breakers that are not closed.",
        labels=["worker", "endpoint", "state"],
    )
    for worker in workers:
        labels = [worker.worker]
        under_way.add_metric(labels, worker.calls_under_way)
        drains.add_metric(labels, worker.drains_under_way)
        room.add_metric(labels, worker.spool_has_room)
        faults.add_metric(labels, worker.faults)
        not_carried.add_metric(labels, worker.not_carried)
        for endpoint, state in worker.breakers.items():
            if state != "closed":
                breakers.add_metric([worker.worker, endpoint, state], 1)
    yield from (under_way, drains, room, faults, not_carried, breakers)


def _of_spans(spans: SpanFigures) -> Iterator[Metric]:
    yield _counter("spans_sent_calls", "Calls whose spans a collector took.", spans.sent)
    yield _gauge("spans_waiting_calls", "Calls whose spans wait for it.", spans.waiting)
    dropped = CounterMetricFamily(
        "tollbridge_spans_dropped_calls", "Calls whose spans it never gets.", labels=["reason"]
    )
    dropped.add_metric(["full"], spans.dropped_full)
    dropped.add_metric(["refused"], spans.dropped_refused)
    yield dropped


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tollbridge_{name}", description, value=value)


def _counter(name: str, description: str, value: float) -> Metric:
    return CounterMetricFamily(f"tollbridge_{name}", description, value=value)


def _of_limits(limits: Sequence[LimitFigures]) -> Iterator[Metric]:
    labels = ["budget", "kind"]
    families = {
        "limit": GaugeMetricFamily(
            "tollbridge_budget_limit",
            "What a budget allows in its period, in US dollars, credits, or as a count.",
            labels=labels,
        ),
        "spent": GaugeMetricFamily(
            "tollbridge_budget_spent", "Of it, what is counted in the running one.", labels=labels
        ),
        "leased": GaugeMetricFamily(
            "tollbridge_budget_leased", "Of it, what workers hold besides.", labels=labels
        ),
    }
    for one in limits:
        for name, family in families.items():
            family.add_metric([one.name, one.kind], getattr(one, name))
    yield from families.values()


def _of_calls(counts: CallCounts) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "tollbridge_calls", "Calls in the books.", labels=["provider", "category", "status"]
    )
    for key, count in sorted(counts.calls.items()):
        calls.add_metric(key, count)
    attempts = CounterMetricFamily(
        "tollbridge_attempts",
        "Attempts, by who was asked.",
        labels=["provider", "category", "outcome", "error_class"],
    )
    cost = CounterMetricFamily(
        "tollbridge_cost_usd", "What is known of their cost.", labels=["provider", "category"]
    )
    unpriced = CounterMetricFamily(
        "tollbridge_unpriced_attempts", "Whose cost is not.", labels=["provider", "category"]
    )
    tokens = CounterMetricFamily(
        "tollbridge_tokens", "Tokens used.", labels=["provider", "category", "kind"]
    )
    ends: dict[tuple[str, ...], int] = {}
    costs: dict[tuple[str, ...], list[int]] = {}
    used: dict[tuple[str, ...], int] = {}
    for (provider, category, _, _), group in counts.groups.items():
        place = (provider, category)
        for end, count in group.ends.items():
            ends[*place, *end] = ends.get((*place, *end), 0) + count
        of = costs.setdefault(place, [0, 0])
        of[0] += group.cost_nanousd
        of[1] += group.unpriced
        for kind, count in group.tokens.items():
            used[*place, kind] = used.get((*place, kind), 0) + count
    for key, count in sorted(ends.items()):
        attempts.add_metric(key, count)
    for key, (known, unknown) in sorted(costs.items()):
        cost.add_metric(key, known / USD_NANOUSD)
        unpriced.add_metric(key, unknown)
    for key, count in sorted(used.items()):
        tokens.add_metric(key, count)
    yield from (calls, attempts, cost, unpriced, tokens)


def _of_models(counts: CallCounts) -> Iterator[Metric]:
    labels = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]
    durations = HistogramMetricFamily(
        "gen_ai_client_operation_duration_seconds",
        "How long attempts took.",
        labels=[*labels, "error_type"],
    )
    first_bytes = HistogramMetricFamily(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "How long answers took to begin.",
        labels=labels,
    )
    usage = HistogramMetricFamily(
        "gen_ai_client_token_usage",
        "Tokens of an attempt.",
        labels=[*labels, "gen_ai_token_type"],
    )
    for key, group in sorted(counts.groups.items()):
        named = _gen_ai(key)
        for error, histogram in sorted(group.durations.items()):
            _observe(durations, [*named, error], histogram)
        if group.first_bytes.count:
            _observe(first_bytes, named, group.first_bytes)
        for kind, histogram in sorted(group.used.items()):
            _observe(usage, [*named, kind], histogram)
    yield from (durations, first_bytes, usage)


def _gen_ai(key: GroupKey) -> list[str]:
    provider, _, operation, model = key
    return [OPERATION_OF.get(operation, operation), SYSTEM_OF.get(provider, provider), model]


def _observe(family: HistogramMetricFamily, labels: Sequence[str], found: Histogram) -> None:
    family.add_metric(labels, buckets=cumulated(found), sum_value=found.total)
