"""What is a caller told when a limit has no room for the call?"""

from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.core.amounts import UNIT_NAMES, amount_text
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import (
    BudgetExceededError,
    InsufficientCreditsError,
    LimitError,
    QuotaExceededError,
    RateLimitedError,
    TooManyCallsError,
)
from tollbridge.core.limits import LeaseRefusal, Limit, LimitKind
from tollbridge.ledger.periods import END_OF_TIME_US


def limit_error(limit: Limit, refusal: LeaseRefusal, now_us: int) -> LimitError:
    """Return the error of a refusal; its details name the limit, what is used and when it resets.

    Money is in decimal US dollars as text, credits are decimal text; `resets_at` is None for a
    limit that never does.
    """
    resets_at_us, kind = refusal.resets_at_us, limit.kind
    never = not 0 < resets_at_us < END_OF_TIME_US
    details: dict[str, object] = {
        "limit": limit.name,
        "kind": kind.value,
        "resets_at": None if never else to_text(resets_at_us),
    }
    # Whole seconds, rounded up: a second early would be refused again.
    retry_after_s = None if never else max(1, -((now_us - resets_at_us) // SECOND_US))
    if kind is LimitKind.CONCURRENT_CALLS:
        return TooManyCallsError(
            f"{limit.name!r} allows {refusal.limit} calls at once",
            retry_after_s=1,
            details=details | {"used": refusal.used, "max": refusal.limit},
        )
    if kind is LimitKind.CALLS_PER_MINUTE:
        return RateLimitedError(
            f"{limit.name!r} allows {refusal.limit} calls per minute",
            retry_after_s=retry_after_s,
            details=details | {"used": refusal.used, "max": refusal.limit},
        )
    details["period"] = limit.period
    for name in ("bucket", "category", "model", "provider"):
        if said := _selected(limit, name):
            details[name] = said
    used, most = amount_text(kind, refusal.used), amount_text(kind, refusal.limit)
    unit = UNIT_NAMES.get(kind, kind.value)
    if kind is LimitKind.MONEY:
        details |= {"used_usd": used, "limit_usd": most}
    elif kind is LimitKind.CREDITS:
        details |= {"used_credits": used, "limit_credits": most}
    else:
        details |= {"used": refusal.used, "max": refusal.limit}
    error = _ERROR_OF.get(kind, QuotaExceededError)
    return error(
        f"the budget {limit.name!r} has no room for this call: {used} of {most} {unit} are used "
        "or set aside",
        retry_after_s=retry_after_s,
        details=details,
    )


_ERROR_OF: Mapping[LimitKind, type[LimitError]] = MappingProxyType(
    {LimitKind.MONEY: BudgetExceededError, LimitKind.CREDITS: InsufficientCreditsError}
)


def _selected(limit: Limit, name: str) -> str:
    selector = limit.selector
    return ",".join(selector.buckets) if name == "bucket" else getattr(selector, name)
