"""What do providers' words mean, where they refuse? Data: one row per meaning.

Rows are tried in order, the first that fits decides; where none does, the status does. Source: the
error tables and recorded answers of OpenAI, Azure, Anthropic, Google, xAI, ElevenLabs, AIMLAPI,
Stability, WaveSpeed, Replicate, Cohere, Jina, Hugging Face, Mistral, Groq, Together, DeepSeek and
vLLM.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tollbridge.core.call import ErrorClass


class Rule(NamedTuple):
    """What is meant by some words. All in lower case; what is () does not matter."""

    error_class: ErrorClass
    codes: tuple[str, ...] = ()
    """One of them stands in a code, type, status word or name of the error."""
    phrases: tuple[str, ...] = ()
    """Or one of them stands in its message."""
    statuses: tuple[int, ...] = ()
    """And this is the HTTP status."""
    dialects: tuple[str, ...] = ()
    """And this is the endpoint's wire format."""

    def fits(self, dialect: str, status: int, words: str, message: str) -> bool:
        """Return whether this row is about an error with these words."""
        if self.dialects and dialect not in self.dialects:
            return False
        if self.statuses and status not in self.statuses:
            return False
        if not self.codes and not self.phrases:
            return True
        return any(code in words for code in self.codes) or any(
            phrase in message for phrase in self.phrases
        )


RULES: tuple[Rule, ...] = (
    # Google says the same sentence of a minute's quota, which passes, and of a day's.
    Rule(ErrorClass.INSUFFICIENT_FUNDS, codes=("perday",), statuses=(429,)),
    Rule(ErrorClass.RATE_LIMITED, codes=("resource_exhausted", "throttlingexception")),
    Rule(
        ErrorClass.CONTEXT_LENGTH,
        codes=(
            "context_length_exceeded",
            "string_above_max_length",
            "request_too_large",
            "max_character_limit_exceeded",
        ),
        phrases=(
            "maximum context length",
            "prompt is too long",
            "exceeds the maximum number of tokens",
            "reduce the length of the messages",
            "too many tokens",
        ),
    ),
    Rule(
        ErrorClass.INSUFFICIENT_FUNDS,
        codes=(
            "insufficient_quota",
            "quota_exceeded",
            "insufficient_funds",
            "insufficient_balance",
            "billing_hard_limit",
            "billing_error",
            "billing required",
            "payment_required",
        ),
        phrases=(
            "exceeded your current quota",
            "out of credits",
            "used all available credits",
            "monthly spending limit",
            "credit balance is too low",
            "insufficient balance",
            "insufficient credit",
            "exceeded your monthly included credits",
        ),
    ),
    Rule(ErrorClass.INSUFFICIENT_FUNDS, statuses=(403,), dialects=("aimlapi",)),
    Rule(
        ErrorClass.INSUFFICIENT_FUNDS,
        phrases=("balance", "credit", "top up"),
        statuses=(403,),
        dialects=("wavespeed",),
    ),
    Rule(
        ErrorClass.CONTENT_FILTERED,
        codes=(
            "content_policy_violation",
            "content_filter",
            "content_moderation",
            "moderation_blocked",
            "responsibleaipolicyviolation",
            "prohibited_content",
        ),
        phrases=("input was flagged", "nsfw content"),
    ),
    Rule(ErrorClass.CONTENT_FILTERED, statuses=(498,), dialects=("cohere",)),
    Rule(
        ErrorClass.UNSUPPORTED_PARAMETER,
        codes=("unsupported_parameter", "unsupported_value", "unknown_parameter"),
    ),
    Rule(
        ErrorClass.NOT_FOUND,
        codes=("not_found", "notfounderror", "deploymentnotfound", "model_not_available"),
        phrases=("model not found", "supported models are", "version does not exist"),
    ),
    Rule(ErrorClass.NOT_FOUND, codes=("invalid_model",), statuses=(400, 404)),
    Rule(
        ErrorClass.PERMISSION,
        codes=(
            "permission_denied",
            "permission_error",
            "missing_permissions",
            "detected_unusual_activity",
            "only_for_creator",
            "unsupported_country_region_territory",
            "failed_precondition",
        ),
    ),
    Rule(
        ErrorClass.AUTHENTICATION,
        codes=(
            "invalid_api_key",
            "api_key_invalid",
            "authentication_error",
            "unauthenticated",
            "unauthorized",
        ),
    ),
    Rule(ErrorClass.OVERLOADED, codes=("overloaded", "system_busy")),
    Rule(
        ErrorClass.RATE_LIMITED,
        codes=(
            "rate_limit_exceeded",
            "rate_limited",
            "rate_limit_error",
            "too_many_concurrent_requests",
            "too_many_requests",
        ),
        phrases=("request was throttled",),
    ),
    Rule(ErrorClass.TIMEOUT, codes=("deadline_exceeded", "timeout_error")),
)

BY_STATUS: Mapping[int, ErrorClass] = {
    400: ErrorClass.INVALID_REQUEST,
    401: ErrorClass.AUTHENTICATION,
    402: ErrorClass.INSUFFICIENT_FUNDS,
    403: ErrorClass.PERMISSION,
    404: ErrorClass.NOT_FOUND,
    408: ErrorClass.TIMEOUT,
    413: ErrorClass.INVALID_REQUEST,
    422: ErrorClass.INVALID_REQUEST,
    429: ErrorClass.RATE_LIMITED,
    498: ErrorClass.OVERLOADED,
    503: ErrorClass.OVERLOADED,
    504: ErrorClass.TIMEOUT,
    524: ErrorClass.TIMEOUT,
    529: ErrorClass.OVERLOADED,
}


def class_of(dialect: str, status: int, words: str, message: str) -> ErrorClass:
    """Return what an error means; `words` and `message` in lower case."""
    for rule in RULES:
        if rule.fits(dialect, status, words, message):
            return rule.error_class
    unknown = ErrorClass.INVALID_REQUEST if 400 <= status < 500 else ErrorClass.UPSTREAM_ERROR
    return BY_STATUS.get(status, unknown)
