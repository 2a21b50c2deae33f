"""What is a caller told when a limit has no room for the call?"""

from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import (
    BudgetExceededError,
    LimitError,
    RateLimitedError,
    TooManyCallsError,
)
from tollbridge.core.limits import LeaseRefusal, Limit, LimitKind
from tollbridge.core.money import usd_text
from tollbridge.ledger.periods import END_OF_TIME_US


def limit_error(limit: Limit, refusal: LeaseRefusal, now_us: int) -> LimitError:
    """Return the error of a refusal; its details name the limit, what is used and when it resets.

    Money is in decimal US dollars as text; `resets_at` is None for a limit that never does.
    """
    resets_at_us = refusal.resets_at_us
    never = not 0 < resets_at_us < END_OF_TIME_US
    details: dict[str, object] = {
        "limit": limit.name,
        "kind": limit.kind.value,
        "resets_at": None if never else to_text(resets_at_us),
    }
    # Whole seconds, rounded up: a second early would be refused again.
    retry_after_s = None if never else max(1, -((now_us - resets_at_us) // SECOND_US))
    if limit.kind is LimitKind.MONEY:
        details |= {
            "used_usd": usd_text(refusal.used),
            "limit_usd": usd_text(refusal.limit),
            "period": limit.period,
        }
        return BudgetExceededError(
            f"the budget {limit.name!r} has no room for this call: {usd_text(refusal.used)} of "
            f"{usd_text(refusal.limit)} USD are used or set aside",
            retry_after_s=retry_after_s,
            details=details,
        )
    details |= {"used": refusal.used, "max": refusal.limit}
    if limit.kind is LimitKind.CALLS_PER_MINUTE:
        return RateLimitedError(
            f"{limit.name!r} allows {refusal.limit} calls per minute",
            retry_after_s=retry_after_s,
            details=details,
        )
    return TooManyCallsError(
        f"{limit.name!r} allows {refusal.limit} calls at once",
        retry_after_s=1,
        details=details,
    )
