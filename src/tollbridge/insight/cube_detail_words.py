"""By which SQL is each grouping, and each attempt, said of the calls? Data.

A call is `d`, an attempt `a`, and a row of an attempt of its own `r`.
"""

import re
from collections.abc import Mapping

from tollbridge.insight.axes import Axis
from tollbridge.recording.audit import ATTEMPT_ADDS
from tollbridge.recording.tables import TOKEN_MEASURES

NEEDED = (
    "call_id",
    "accounted_at_us",
    "actual_provider_name",
    "upstream_provider_name",
    "bucket",
    "category",
    "operation",
    "requested_model",
    "label",
    "project",
    "user_name",
    "key_id",
    "key_name",
    "http_status",
    "status",
    "customer",
    "tags",
    *TOKEN_MEASURES,
    "usage_source",
    "known_cost_nanousd",
    "cost_nanousd",
    "charge_nanousd",
    "unpriced",
    "latency_ms",
    "first_byte_at_us",
    "attempt_started_at_us",
    "attempt_ended_at_us",
    "request_count",
)
_CLASS = (
    "CASE WHEN {of}.http_status BETWEEN 100 AND 599 "
    "THEN CAST({of}.http_status / 100 AS VARCHAR(1)) || 'xx' ELSE 'none' END"
)


def own_of_call(name: str) -> dict[Axis, str]:
    """Return what a call need not have in common with its attempts, of calls under a name."""
    return {
        Axis.PROVIDER: f"{name}.actual_provider_name",
        Axis.UPSTREAM: f"coalesce({name}.upstream_provider_name, '')",
        Axis.MODEL: f"coalesce({name}.requested_model, '')",
        Axis.STATUS_CLASS: _CLASS.format(of=name),
        Axis.USAGE_SOURCE: f"{name}.usage_source",
    }


def own_of_attempt(name: str) -> dict[Axis, str]:
    """Return the same of attempts under a name."""
    return {
        Axis.PROVIDER: f"{name}.provider",
        Axis.UPSTREAM: f"coalesce({name}.upstream_provider_name, '')",
        Axis.MODEL: f"{name}.model",
        Axis.STATUS_CLASS: _CLASS.format(of=name),
        Axis.USAGE_SOURCE: f"{name}.usage_source",
    }


OF_CALL: Mapping[Axis, str] = {
    **own_of_call("d"),
    Axis.BUCKET: "d.bucket",
    Axis.CATEGORY: "d.category",
    Axis.OPERATION: "d.operation",
    Axis.ROUTE: "d.label",
    Axis.PROJECT: "d.project",
    Axis.USER: "d.user_name",
    Axis.KEY: "d.key_name",
    Axis.STATUS: "d.status",
    Axis.CUSTOMER: "coalesce(d.customer, '')",
    Axis.TAG: "d.tags",
}
OF_ATTEMPT: Mapping[Axis, str] = {**OF_CALL, **own_of_attempt("a")}
OWN = frozenset(own_of_call("d"))
# An attempt as its call's own row says it: the view of all attempts cannot be searched by calls.
FOLDED: Mapping[str, str] = {
    "call_id": "CAST(d.call_id AS VARCHAR(36))",
    "number": "1",
    "provider": "d.actual_provider_name",
    "upstream_provider_name": "d.upstream_provider_name",
    "model": "d.requested_model",
    "outcome": "'succeeded'",
    "http_status": "d.http_status",
    "latency_ms": (
        "CASE WHEN d.attempt_ended_at_us < d.attempt_started_at_us THEN 0 "
        "ELSE (d.attempt_ended_at_us - d.attempt_started_at_us + 500) / 1000 END"
    ),
    "first_byte_ms": (
        "CASE WHEN d.first_byte_at_us < d.attempt_started_at_us THEN 0 "
        "ELSE (d.first_byte_at_us - d.attempt_started_at_us + 500) / 1000 END"
    ),
    **{name: f"d.{name}" for name in TOKEN_MEASURES},
    "usage_source": "d.usage_source",
    "cost_nanousd": "d.cost_nanousd",
}


def _of_folded(words: str) -> str:
    """Return an expression about an attempt `a` as one about its call's own row."""
    return re.sub(r"\ba\.(\w+)", lambda found: f"({FOLDED[found[1]]})", words)


IS_FOLDED = "(d.attempt_started_at_us IS NOT NULL)"
# What such attempts add, by their calls' rows alone.
FOLDED_ADDS: Mapping[str, str] = {
    measure: f"CASE WHEN {IS_FOLDED} THEN {_of_folded(adds)} ELSE 0 END"
    for measure, adds in ATTEMPT_ADDS.items()
}
ROWS = (
    "CAST(r.call_id AS VARCHAR(36)) AS call_id",
    *(
        f"r.{name} AS {name}"
        for name in (
            "number",
            "provider",
            "upstream_provider_name",
            "model",
            "outcome",
            "http_status",
            "latency_ms",
            "first_byte_ms",
            *TOKEN_MEASURES,
            "usage_source",
            "cost_nanousd",
        )
    ),
)
D_ID = "CAST(d.call_id AS VARCHAR(36))"
