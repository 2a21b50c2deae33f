"""How are the same metrics said to an OpenTelemetry collector? OTLP over HTTP, as JSON.

The names are those of Prometheus with dots for underscores where a name space ends, and
OpenTelemetry's own for generative AI. Counters and histograms are cumulative, since the office's
start. (opentelemetry.proto.collector.metrics.v1, in the JSON mapping of the OTLP specification:
64-bit numbers are texts.)
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

CUMULATIVE = 2
SCOPE = "tollbridge"
PREFIX = "tollbridge_"
NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "gen_ai_client_operation_duration_seconds": ("gen_ai.client.operation.duration", "s"),
        "gen_ai_client_operation_time_to_first_chunk_seconds": (
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
        ),
        "gen_ai_client_token_usage": ("gen_ai.client.token.usage", "{token}"),
    }
)
"""Family → name and unit."""
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "gen_ai_operation_name": "gen_ai.operation.name",
        "gen_ai_provider_name": "gen_ai.provider.name",
        "gen_ai_request_model": "gen_ai.request.model",
        "gen_ai_token_type": "gen_ai.token.type",
        "error_type": "error.type",
        "provider": "tollbridge.provider",
        "category": "tollbridge.category",
    }
)
UNITS: Mapping[str, str] = MappingProxyType({"_seconds": "s", "_bytes": "By", "_usd": "USD"})


class Moment(msgspec.Struct, frozen=True):
    """Whose metrics they are, and of which time."""

    node: str
    version: str
    started_at_us: int
    now_us: int


def payload(metrics: Iterable[Metric], moment: Moment) -> bytes:
    """Return the body of a request to `/v1/metrics`."""
    resource = {
        "service.name": SCOPE,
        "service.version": moment.version,
        "service.instance.id": moment.node,
    }
    said = [one for metric in metrics if (one := _metric(metric, moment)) is not None]
    return msgspec.json.encode(
        {
            "resourceMetrics": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeMetrics": [
                        {"scope": {"name": SCOPE, "version": moment.version}, "metrics": said}
                    ],
                }
            ]
        }
    )


def _metric(metric: Metric, moment: Moment) -> dict[str, Any] | None:
    if not metric.samples:
        return None
    name, unit = NAMES.get(metric.name) or _named(metric.name)
    said: dict[str, Any] = {"name": name, "description": metric.documentation, "unit": unit}
    if metric.type == "histogram":
        points = _histograms(metric.samples, moment)
        said["histogram"] = {"dataPoints": points, "aggregationTemporality": CUMULATIVE}
    elif metric.type == "counter":
        said["sum"] = {
            "dataPoints": [_point(one, moment) for one in metric.samples],
            "aggregationTemporality": CUMULATIVE,
            "isMonotonic": True,
        }
    else:
        said["gauge"] = {"dataPoints": [_point(one, moment) for one in metric.samples]}
    return said


def _named(name: str) -> tuple[str, str]:
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "1")
    return f"{SCOPE}.{name.removeprefix(PREFIX)}", unit


def _point(sample: Sample, moment: Moment) -> dict[str, Any]:
    return {
        "attributes": _attributes(sample.labels),
        **_times(moment),
        "asDouble": float(sample.value),
    }


def _histograms(samples: Sequence[Sample], moment: Moment) -> list[dict[str, Any]]:
    """Return a point for each set of labels: counts of each bucket, not of all below it."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        point = found.setdefault(
            tuple(sorted(labels.items())),
            {
                "attributes": _attributes(labels),
                **_times(moment),
                "explicitBounds": [],
                "bucketCounts": [],
            },
        )
        if sample.name.endswith("_sum"):
            point["sum"] = float(sample.value)
        elif sample.name.endswith("_count"):
            point["count"] = str(int(sample.value))
        else:
            if sample.labels["le"] != "+Inf":
                point["explicitBounds"].append(float(sample.labels["le"]))
            point["bucketCounts"].append(int(sample.value))
    for point in found.values():
        below = [0, *point["bucketCounts"]]
        point["bucketCounts"] = [str(count - before) for before, count in pairwise(below)]
    return list(found.values())


def _times(moment: Moment) -> dict[str, str]:
    return {
        "startTimeUnixNano": str(moment.started_at_us * 1000),
        "timeUnixNano": str(moment.now_us * 1000),
    }


def _attributes(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return labels as attributes; what is empty is left out."""
    return [
        {"key": LABELS.get(name, name), "value": {"stringValue": value}}
        for name, value in labels.items()
        if value
    ]
