"""Can a record of somebody else be counted, and if not, why?

A pure function of the record, the source's registry and the moment. What is refused is kept as it
came, with a reason that can be counted, so that it can be replayed once the registry is mended.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Final

import msgspec

from tollbridge.core.call import CATEGORY_OF, Bucket, Caller, Operation, bucket_of, new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.core.report import Refusal, Report
from tollbridge.core.usage import Unit
from tollbridge.recording.intake_registry import Kind, SourceNames

YEAR_2000_MS: Final = 946_684_800_000
MS_US: Final = 1000
TEXT_LENGTH_MAX: Final = 255
ID_LENGTH_MAX: Final = 128
COUNT_MAX: Final = 10**13
"""More than anybody uses in one request; sums of such counts still fit a row."""
REQUESTS_MAX: Final = 10**6
COST_USD_MAX: Final = Decimal(10**6)
COST_EXPONENT_MIN: Final = -18
UNITS: Final = frozenset(unit.value for unit in Unit)
_OPERATION_OF: Final[Mapping[Bucket, Operation]] = {
    Bucket.VIDEO: Operation.VIDEO_GENERATION,
    Bucket.STABILITY: Operation.IMAGE_GENERATION,
    Bucket.IMAGE_EDIT: Operation.IMAGE_EDIT,
    Bucket.AUDIO: Operation.AUDIO_SPEECH,
    **dict.fromkeys(
        (Bucket.TAVILY, Bucket.SERPER, Bucket.METAPHOR, Bucket.FIRECRAWL, Bucket.EXA),
        Operation.SEARCH,
    ),
}
OTHER_SPELLINGS: Final[Mapping[str, str]] = {
    "audit_transcription": Operation.AUDIO_TRANSCRIPTION.value  # gpustack's spelling
}

Id = int | str | None
Vendor = Callable[[str], str | None]
"""A model's name → its author, where the name says so."""


class GivenRecord(msgspec.Struct, kw_only=True):
    """A record as it is sent: the fields of gpustack's ModelUsageMetrics, and some more."""

    model: str
    input_token: int | None = None
    output_token: int | None = None
    total_token: int | None = None
    input_cached_token: int | None = None
    request_count: int | None = None
    completed: bool | None = None
    output_chunk_count: int | None = None
    request_content_bytes: int | None = None
    started_at: int | None = None
    """Milliseconds since 1970; 0 or less is absent. Likewise completed_at."""
    completed_at: int | None = None
    user_id: Id = None
    model_id: Id = None
    model_route_id: Id = None
    cluster_id: Id = None
    provider_id: Id = None
    provider_name: str | None = None
    provider_type: str | None = None
    access_key: str | None = None
    organization_id: Id = None
    operation: str | None = None
    # What follows is ours.
    id: Id = None
    """The record's own: it counts once under it, for ever."""
    actual_provider: str | None = None
    bucket: str | None = None
    endpoint: str | None = None
    """The path that was called."""
    status_code: int | None = None
    error: str | None = None
    cost_usd: str | None = None
    """What the provider charged, decimal text in USD; 0 or less is absent."""
    units: dict[str, int] | None = None
    """Counts of other units: image, video_ms, audio_ms, character …"""


class RefusedError(Exception):
    """A record does not count."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What all records of one batch have in common."""

    batch_id: str
    names: SourceNames
    project: str
    received_at_us: int
    future_max_s: float
    vendor_of: Vendor
    idempotency_key: str | None = None


_decode = msgspec.json.Decoder(GivenRecord).decode


def check(raw: bytes, index: int, arrival: Arrival) -> Report | Refusal:
    """Return what a record reports, or why it does not count."""
    try:
        try:
            given = _decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RefusedError("malformed", str(error)) from error
        return _report(given, index, arrival)
    except RefusedError as error:
        return Refusal(index, error.reason, error.message, raw.decode(errors="replace"))


def claim_of(
    source: str, record_id: str | None, idempotency_key: str | None, index: int
) -> str | None:
    """Return what a record may be counted under once, None where nothing tells it from another."""
    if record_id is not None:
        text = f"{source}\0id\0{record_id}"
    elif idempotency_key is not None:
        text = f"{source}\0key\0{idempotency_key}\0{index}"
    else:
        return None
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _report(given: GivenRecord, index: int, arrival: Arrival) -> Report:
    names = arrival.names
    model = _text("model", given.model, "bad_model")
    if not model:
        raise RefusedError("bad_model", "model is empty")
    counts, total = _counts(given)
    started_at_us, completed_at_us, accounted_at_us = _times(given, arrival)
    ids = _ids(given)
    _check_names(model, ids, names)
    bucket, operation = _kind(given)
    record_id = _id("id", given.id)
    route = names.find(Kind.ROUTE, ids.get("model_route_id"))
    return Report(
        call_id=new_id(arrival.received_at_us),
        batch_id=arrival.batch_id,
        index=index,
        claim=claim_of(names.source, record_id, arrival.idempotency_key, index),
        record_id=record_id,
        model=model,
        label=model if route is None else route.name,
        operation=operation,
        category=CATEGORY_OF[operation],
        bucket=bucket or bucket_of(operation, arrival.vendor_of(model)),
        bucket_reported=bucket is not None,
        accounted_at_us=accounted_at_us,
        started_at_us=started_at_us,
        completed_at_us=completed_at_us,
        completed=given.completed is True,
        request_count=_count("request_count", given.request_count, 1, REQUESTS_MAX),
        counts=counts,
        total_tokens=total,
        request_bytes=_count("request_content_bytes", given.request_content_bytes),
        chunks=_count("output_chunk_count", given.output_chunk_count),
        http_status=_status(given.status_code),
        error=_text("error", given.error, "bad_text", cut=True),
        provider=_provider(given, ids, names),
        path=_text("endpoint", given.endpoint, "bad_text"),
        cost_usd=_cost(given.cost_usd),
        caller=_caller(ids, arrival),
        charges=names.terms.charges,
        names=_snapshot(given, ids, names),
    )


def _counts(given: GivenRecord) -> tuple[dict[str, int], int | None]:
    """Return the counts by unit, and the total; a count that was not given is absent."""
    counts: dict[str, int] = {}
    for unit, name, count in (
        ("input", "input_token", given.input_token),
        ("output", "output_token", given.output_token),
        ("cache_read", "input_cached_token", given.input_cached_token),
    ):
        if count is not None:
            counts[unit] = _count(name, count)
    if counts.get("cache_read") == 0 and "input" not in counts:
        del counts["cache_read"]
    for unit, count in (given.units or {}).items():
        if unit not in UNITS:
            raise RefusedError("unknown_unit", f"there is no unit {unit[:40]!r}")
        counts[unit] = _count(f"units.{unit}", count)
    total = given.total_token
    return counts, None if total is None else _count("total_token", total)


def _count(name: str, count: int | None, default: int = 0, most: int = COUNT_MAX) -> int:
    if count is None:
        return default
    if count < 0 or count < default:
        raise RefusedError("negative_count", f"{name} is {count}")
    if count > most:
        raise RefusedError("count_too_large", f"{name} is over {most}")
    return count


def _times(given: GivenRecord, arrival: Arrival) -> tuple[int | None, int | None, int]:
    """Return start, end and the instant that decides the day: the end, the start, or now."""
    now_us = arrival.received_at_us
    latest_us = now_us + round(arrival.future_max_s * SECOND_US)
    found: list[int | None] = []
    for name, at_ms in (("started_at", given.started_at), ("completed_at", given.completed_at)):
        if at_ms is None or at_ms <= 0:
            found.append(None)
        elif at_ms < YEAR_2000_MS:
            raise RefusedError("before_2000", f"{name} is before 2000: it is in milliseconds")
        elif at_ms * MS_US > latest_us:
            raise RefusedError("in_future", f"{name} is in the future")
        else:
            found.append(at_ms * MS_US)
    started_at_us, completed_at_us = found
    return started_at_us, completed_at_us, completed_at_us or started_at_us or now_us


def _ids(given: GivenRecord) -> dict[str, str]:
    named = (
        ("user_id", given.user_id),
        ("model_id", given.model_id),
        ("model_route_id", given.model_route_id),
        ("cluster_id", given.cluster_id),
        ("provider_id", given.provider_id),
        ("organization_id", given.organization_id),
        ("access_key", given.access_key),
    )
    return {name: text for name, value in named if (text := _id(name, value)) is not None}


def _id(name: str, value: Id) -> str | None:
    if value is None or value == "":
        return None
    text = str(value)
    if len(text) > ID_LENGTH_MAX or not text.isprintable():
        raise RefusedError("bad_id", f"{name} has at most {ID_LENGTH_MAX} printable characters")
    return text


def _check_names(model: str, ids: Mapping[str, str], names: SourceNames) -> None:
    """Raise RefusedError where the source's registry knows that this cannot be."""
    model_id, provider_id = ids.get("model_id"), ids.get("provider_id")
    if names.has(Kind.MODEL):
        if model_id is not None:
            _check_model(model, model_id, names.find(Kind.ROUTE, ids.get("model_route_id")), names)
        elif provider_id is None and model not in names.model_names:
            raise RefusedError("unknown_model", f"no model {model!r} is registered")
    if provider_id is not None and names.has(Kind.PROVIDER):
        provider = names.find(Kind.PROVIDER, provider_id)
        if provider is None:
            raise RefusedError("unknown_provider", f"no provider {provider_id!r} is registered")
        if provider.models and model not in provider.models:
            raise RefusedError(
                "model_not_of_provider", f"{model!r} is no model of provider {provider_id!r}"
            )
    user_id = ids.get("user_id")
    if user_id is not None and names.has(Kind.USER) and names.find(Kind.USER, user_id) is None:
        raise RefusedError("unknown_user", f"no user {user_id!r} is registered")


def _check_model(model: str, model_id: str, route: object, names: SourceNames) -> None:
    known = names.find(Kind.MODEL, model_id)
    if known is None:
        raise RefusedError("unknown_model", f"no model {model_id!r} is registered")
    if known.name == model:
        return
    # A route may lead to a model under a name of its own: an adapter on a base model.
    leads = getattr(route, "model_id", None) == model_id and getattr(route, "name", None) == model
    if not leads:
        raise RefusedError("model_mismatch", f"model {model_id!r} is not called {model!r}")


def _kind(given: GivenRecord) -> tuple[Bucket | None, Operation]:
    bucket: Bucket | None = None
    if given.bucket:
        try:
            bucket = Bucket(given.bucket.lower())
        except ValueError:
            raise RefusedError("unknown_bucket", f"no bucket {given.bucket[:40]!r}") from None
    if given.operation:
        try:
            operation = Operation(OTHER_SPELLINGS.get(given.operation, given.operation))
        except ValueError:
            raise RefusedError(
                "unknown_operation", f"no operation {given.operation[:40]!r}"
            ) from None
    else:
        operation = Operation.CHAT_COMPLETION
        if bucket is not None:
            operation = _OPERATION_OF.get(bucket, operation)
    if operation is Operation.SEARCH and bucket is None:
        raise RefusedError("unknown_bucket", "a search names its bucket")
    return bucket, operation


def _provider(given: GivenRecord, ids: Mapping[str, str], names: SourceNames) -> str | None:
    """Return whom the reporter names: ours, the provider's type, else what it calls it."""
    known = names.find(Kind.PROVIDER, ids.get("provider_id"))
    candidates = [
        _text("actual_provider", given.actual_provider, "bad_text"),
        _text("provider_type", given.provider_type, "bad_text"),
        None if known is None else known.provider_type,
        _text("provider_name", given.provider_name, "bad_text"),
        None if known is None else known.name,
    ]
    return next((one for one in candidates if one), None)


def _caller(ids: Mapping[str, str], arrival: Arrival) -> Caller:
    names = arrival.names
    user_id, key = ids.get("user_id", ""), ids.get("access_key", "")
    user = names.find(Kind.USER, user_id)
    registered = names.find(Kind.KEY, key)
    return Caller(
        key_id=f"{names.source}:{key}"[:ID_LENGTH_MAX] if key else "",
        key_name=key if registered is None else registered.name,
        user=user_id if user is None else user.name,
        project=arrival.project,
    )


def _snapshot(given: GivenRecord, ids: Mapping[str, str], names: SourceNames) -> dict[str, str]:
    """Return the ids as they were reported, with the names that they have now."""
    found = dict(ids)
    for kind, name in (
        (Kind.MODEL, "model_id"),
        (Kind.USER, "user_id"),
        (Kind.KEY, "access_key"),
        (Kind.ROUTE, "model_route_id"),
        (Kind.CLUSTER, "cluster_id"),
        (Kind.PROVIDER, "provider_id"),
    ):
        known = names.find(kind, ids.get(name))
        if known is not None:
            found[f"{kind.value}_name"] = known.name
    told = {"provider_name": given.provider_name, "provider_type": given.provider_type}
    return found | {name: text for name, text in told.items() if text}


def _text(name: str, value: str | None, reason: str, *, cut: bool = False) -> str | None:
    if value is None:
        return None
    if cut:
        return "".join(one if one.isprintable() else " " for one in value[:TEXT_LENGTH_MAX])
    if len(value) > TEXT_LENGTH_MAX or not value.isprintable():
        raise RefusedError(reason, f"{name} has at most {TEXT_LENGTH_MAX} printable characters")
    return value


def _status(status: int | None) -> int:
    if status is None:
        return 200
    if not 100 <= status < 600:
        raise RefusedError("bad_status", f"status_code is {status}")
    return status


def _cost(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise RefusedError("bad_cost", "cost_usd is decimal text in USD") from None
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < COST_EXPONENT_MIN or amount > COST_USD_MAX:
        raise RefusedError(
            "bad_cost", f"cost_usd is at most {COST_USD_MAX}, with 18 decimal places"
        )
    return f"{amount:f}" if amount > 0 else None
