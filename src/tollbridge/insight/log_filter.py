"""Which calls does somebody mean who asks for them in words? Pure."""

import re
from datetime import datetime, tzinfo

import msgspec

from tollbridge.core.call import Bucket
from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames, Serving
from tollbridge.insight.usage import CallFilter

WORD_LENGTH_MAX = 256
PERIOD = re.compile(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])")
STATUS = re.compile(r"[1-5](\d\d|xx)", re.IGNORECASE)
UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a filter that are more than equal to a column, as somebody wrote them."""

    provider: str | None = None
    """A name of the actual provider, or a bucket."""
    actual_provider: str | None = None
    upstream_provider: str | None = None
    status_code: str | None = None
    """404, or a class: 4xx."""
    billing_period: str | None = None
    """YYYY-MM."""


def filter_as_asked(
    asked: Asked, plain: CallFilter, names: ProviderNames, zone: tzinfo
) -> CallFilter:
    """Return the filter; `plain` has the rest of it, and `zone` says when a month begins.

    Raises InvalidRequestError that names the parameter.
    """
    for part in (asked, plain):
        for name in part.__struct_fields__:
            _check_word(name, getattr(part, name))
    changes = _providers(asked, names)
    if asked.status_code is not None:
        changes.update(_status(asked.status_code))
    if asked.billing_period is not None:
        from_us, to_us_ = period_span(asked.billing_period, zone)
        changes["from_us"] = from_us if plain.from_us is None else max(from_us, plain.from_us)
        changes["to_us"] = to_us_ if plain.to_us is None else min(to_us_, plain.to_us)
    if plain.from_us is not None and plain.to_us is not None and plain.from_us >= plain.to_us:
        raise InvalidRequestError("`from` is not before `to`", details={"param": "from"})
    return msgspec.structs.replace(plain, **changes)


def named_providers(wanted: CallFilter) -> tuple[str, ...]:
    """Return the providers that a filter names."""
    return tuple(one for one in (wanted.provider, wanted.actual_provider) if one is not None)


def period_span(period: str, zone: tzinfo) -> tuple[int, int]:
    """Return a month in microseconds [from, to). Raises InvalidRequestError for what is none."""
    if PERIOD.fullmatch(period) is None:
        raise InvalidRequestError(
            f"a billing period is a month, such as 2026-01, and not {period[:20]!r}",
            details={"param": "billing_period"},
        )
    year, month = int(period[:4]), int(period[5:])
    start = datetime(year, month, 1, tzinfo=zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    return to_us(start), to_us(end)


def period_of(at_us: int, zone: tzinfo) -> str:
    """Return the month, YYYY-MM, that holds an instant."""
    return f"{to_datetime(at_us).astimezone(zone):%Y-%m}"


def _providers(asked: Asked, names: ProviderNames) -> dict[str, object]:
    """Return who served, and who ran the model behind them."""
    changes: dict[str, object] = {}
    if asked.actual_provider is not None:
        changes.update(_served_by(_resolved(names, asked.actual_provider)))
    if asked.provider is not None:
        serving = _resolved(names, asked.provider)
        if _plain(asked.provider) in set(Bucket):
            changes["provider"] = _plain(asked.provider)
        elif asked.actual_provider is None:
            changes.update(_served_by(serving))
        else:
            changes["provider"] = serving.provider
    if asked.upstream_provider is not None:
        changes["upstream_provider"] = _resolved(names, asked.upstream_provider).provider
    return changes


def _status(text: str) -> dict[str, object]:
    if STATUS.fullmatch(text) is None:
        raise InvalidRequestError(
            f"a status is an HTTP status such as 404, or 1xx, 2xx, 3xx, 4xx or 5xx, "
            f"and not {text[:20]!r}",
            details={"param": "status_code"},
        )
    if text[1].isdecimal():
        return {"status_code": int(text)}
    return {"status_class": text.lower()}


def _served_by(serving: Serving) -> dict[str, object]:
    return {"actual_provider": serving.provider, "upstream_provider": serving.upstream}


def _resolved(names: ProviderNames, text: str) -> Serving:
    """Return who is meant by an id, an alias or the name that people see, in any case."""
    found = names.resolve(text)
    if found is not None:
        return found
    plain = _plain(text)
    for provider, shown in names.shown.items():
        if _plain(shown) == plain:
            return Serving(provider)
    return Serving(plain)


def _plain(text: str) -> str:
    return text.strip().lower()


def _check_word(name: str, word: object) -> None:
    if not isinstance(word, str):
        return
    if not 0 < len(word) <= WORD_LENGTH_MAX:
        said = f"has 1 to {WORD_LENGTH_MAX} characters, and not {len(word)}"
    elif UNSPEAKABLE.search(word):
        said = "has characters that no name has"
    else:
        return
    raise InvalidRequestError(f"`{name}` {said}", details={"param": name})
