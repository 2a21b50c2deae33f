"""What does each provider's refusal mean, as its own words say it?"""

from typing import Any, NamedTuple, cast

import msgspec
import pytest

from tollbridge.core.call import ErrorClass
from tollbridge.providers.refusal_rules import RULES
from tollbridge.providers.refusals import understand


class Case(NamedTuple):
    """One refusal, as it comes."""

    dialect: str
    status: int | None
    body: Any
    error_class: ErrorClass
    wait_s: float | None = None


def openai(code: str | None, kind: str = "invalid_request_error", message: str = "no") -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str = "no") -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(code: int, status: str, *details: Any, message: str = "no") -> Any:
    return {"error": {"code": code, "message": message, "status": status, "details": [*details]}}


def quota(period: str) -> Any:
    violations = [{"quotaId": f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier"}]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
QUOTA = "You exceeded your current quota, please check your plan."
ELEVEN = "elevenlabs"


def eleven(status: str) -> Any:
    return {"detail": {"status": status, "message": "no"}}


CASES: dict[str, Case] = {
    # OpenAI and those who speak as it does.
    "openai-context": Case(
        "openai", 400, openai("context_length_exceeded"), ErrorClass.CONTEXT_LENGTH
    ),
    "openai-key": Case("openai", 401, openai("invalid_api_key"), ErrorClass.AUTHENTICATION),
    "openai-country": Case(
        "openai", 403, openai("unsupported_country_region_territory"), ErrorClass.PERMISSION
    ),
    "openai-model": Case("openai", 400, openai("model_not_found"), ErrorClass.NOT_FOUND),
    "openai-rate": Case(
        "openai", 429, openai("rate_limit_exceeded", "requests"), ErrorClass.RATE_LIMITED
    ),
    "openai-rate-words": Case(
        "openai",
        429,
        openai("rate_limit_exceeded", "tokens", "Limit 15000. Please try again in 5.289s. Visit"),
        ErrorClass.RATE_LIMITED,
        5.289,
    ),
    "openai-quota": Case(
        "openai", 429, openai("insufficient_quota", message=QUOTA), ErrorClass.INSUFFICIENT_FUNDS
    ),
    "openai-policy": Case(
        "openai", 400, openai("content_policy_violation"), ErrorClass.CONTENT_FILTERED
    ),
    "openai-moderation": Case(
        "openai", 400, openai("moderation_blocked"), ErrorClass.CONTENT_FILTERED
    ),
    "openai-parameter": Case(
        "openai", 400, openai("unsupported_value"), ErrorClass.UNSUPPORTED_PARAMETER
    ),
    "openai-server": Case("openai", 500, openai(None, "server_error"), ErrorClass.UPSTREAM_ERROR),
    "openai-busy": Case("openai", 503, openai(None, "server_error"), ErrorClass.OVERLOADED),
    "groq-long": Case(
        "openai",
        400,
        openai(None, message="Please reduce the length of the messages or completion."),
        ErrorClass.CONTEXT_LENGTH,
    ),
    "groq-flex": Case("openai", 498, openai("capacity_exceeded"), ErrorClass.OVERLOADED),
    "groq-inside-a-stream": Case(
        "openai",
        None,
        {"error": {"message": "no", "code": "tool_use_failed", "status_code": 400}},
        ErrorClass.INVALID_REQUEST,
    ),
    "mistral-model": Case(
        "openai",
        400,
        {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
        ErrorClass.NOT_FOUND,
    ),
    "mistral-field": Case(
        "openai",
        422,
        {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]},
        ErrorClass.INVALID_REQUEST,
    ),
    "mistral-key": Case("openai", 401, {"detail": "Unauthorized"}, ErrorClass.AUTHENTICATION),
    "together-model": Case("openai", 400, openai("model_not_available"), ErrorClass.NOT_FOUND),
    "deepseek-money": Case(
        "openai",
        402,
        openai("invalid_request_error", "unknown_error", "Insufficient Balance"),
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "vllm-model": Case(
        "openai",
        404,
        {
            "error": {
                "message": "The model `x` does not exist.",
                "type": "NotFoundError",
                "code": 404,
            }
        },
        ErrorClass.NOT_FOUND,
    ),
    "vllm-long": Case(
        "openai",
        400,
        {"object": "error", "message": "This model's maximum context length is 4096", "code": 400},
        ErrorClass.CONTEXT_LENGTH,
    ),
    "openrouter-in-a-200": Case(
        "openai",
        None,
        {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "x"}}},
        ErrorClass.RATE_LIMITED,
    ),
    "openrouter-moderation": Case(
        "openai",
        403,
        {
            "error": {
                "code": 403,
                "message": "Your input was flagged",
                "metadata": {"reasons": ["x"]},
            }
        },
        ErrorClass.CONTENT_FILTERED,
    ),
    # Azure.
    "azure-filter": Case(
        "azure",
        400,
        {
            "error": {
                "code": "content_filter",
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
        ErrorClass.CONTENT_FILTERED,
    ),
    "azure-inner": Case(
        "azure",
        400,
        {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        ErrorClass.CONTENT_FILTERED,
    ),
    "azure-deployment": Case(
        "azure",
        404,
        {"error": {"code": "DeploymentNotFound", "message": "no"}},
        ErrorClass.NOT_FOUND,
    ),
    "azure-rate": Case(
        "azure",
        429,
        {"error": {"code": "429", "message": "Rate limit. Please retry after 7 seconds."}},
        ErrorClass.RATE_LIMITED,
        7,
    ),
    # Anthropic.
    "anthropic-busy": Case("anthropic", 529, anthropic("overloaded_error"), ErrorClass.OVERLOADED),
    "anthropic-busy-in-a-stream": Case(
        "anthropic", None, anthropic("overloaded_error"), ErrorClass.OVERLOADED
    ),
    "anthropic-rate": Case(
        "anthropic", 429, anthropic("rate_limit_error"), ErrorClass.RATE_LIMITED
    ),
    "anthropic-key": Case(
        "anthropic", 401, anthropic("authentication_error"), ErrorClass.AUTHENTICATION
    ),
    "anthropic-may-not": Case(
        "anthropic", 403, anthropic("permission_error"), ErrorClass.PERMISSION
    ),
    "anthropic-model": Case("anthropic", 404, anthropic("not_found_error"), ErrorClass.NOT_FOUND),
    "anthropic-large": Case(
        "anthropic", 413, anthropic("request_too_large"), ErrorClass.CONTEXT_LENGTH
    ),
    "anthropic-long": Case(
        "anthropic",
        400,
        anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        ErrorClass.CONTEXT_LENGTH,
    ),
    "anthropic-money": Case(
        "anthropic",
        400,
        anthropic("invalid_request_error", "Your credit balance is too low to access the API"),
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "anthropic-bill": Case(
        "anthropic", 402, anthropic("billing_error"), ErrorClass.INSUFFICIENT_FUNDS
    ),
    "anthropic-slow": Case("anthropic", 504, anthropic("timeout_error"), ErrorClass.TIMEOUT),
    "anthropic-fault": Case("anthropic", 500, anthropic("api_error"), ErrorClass.UPSTREAM_ERROR),
    "anthropic-wrong": Case(
        "anthropic", 400, anthropic("invalid_request_error"), ErrorClass.INVALID_REQUEST
    ),
    # Google.
    "gemini-minute": Case(
        "gemini",
        429,
        google(429, "RESOURCE_EXHAUSTED", quota("Minute"), RETRY, message=QUOTA),
        ErrorClass.RATE_LIMITED,
        34.4,
    ),
    "gemini-day": Case(
        "gemini",
        429,
        google(429, "RESOURCE_EXHAUSTED", quota("Day"), RETRY, message=QUOTA),
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "gemini-key": Case(
        "gemini",
        400,
        google(400, "INVALID_ARGUMENT", {"@type": "x", "reason": "API_KEY_INVALID"}),
        ErrorClass.AUTHENTICATION,
    ),
    "gemini-token": Case("gemini", 401, google(401, "UNAUTHENTICATED"), ErrorClass.AUTHENTICATION),
    "gemini-may-not": Case("gemini", 403, google(403, "PERMISSION_DENIED"), ErrorClass.PERMISSION),
    "gemini-country": Case(
        "gemini", 400, google(400, "FAILED_PRECONDITION"), ErrorClass.PERMISSION
    ),
    "gemini-model": Case("gemini", 404, google(404, "NOT_FOUND"), ErrorClass.NOT_FOUND),
    "gemini-busy": Case("gemini", 503, google(503, "UNAVAILABLE"), ErrorClass.OVERLOADED),
    "gemini-slow": Case("gemini", 504, google(504, "DEADLINE_EXCEEDED"), ErrorClass.TIMEOUT),
    "gemini-wrong": Case(
        "gemini", 400, google(400, "INVALID_ARGUMENT"), ErrorClass.INVALID_REQUEST
    ),
    "gemini-listed": Case(
        "gemini", 400, [google(400, "INVALID_ARGUMENT")], ErrorClass.INVALID_REQUEST
    ),
    "gemini-long": Case(
        "gemini",
        400,
        google(
            400,
            "INVALID_ARGUMENT",
            message="The input token count (9) exceeds the maximum number of tokens allowed (8).",
        ),
        ErrorClass.CONTEXT_LENGTH,
    ),
    # xAI.
    "xai-money": Case(
        "xai",
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team x has either used all available credits or reached its monthly "
            "spending limit.",
        },
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "xai-model": Case(
        "xai",
        400,
        {"code": "Client specified an invalid argument", "error": "Model not found: grok-9"},
        ErrorClass.NOT_FOUND,
    ),
    # ElevenLabs.
    "eleven-quota-400": Case(ELEVEN, 400, eleven("quota_exceeded"), ErrorClass.INSUFFICIENT_FUNDS),
    "eleven-quota-401": Case(ELEVEN, 401, eleven("quota_exceeded"), ErrorClass.INSUFFICIENT_FUNDS),
    "eleven-key": Case(ELEVEN, 401, eleven("invalid_api_key"), ErrorClass.AUTHENTICATION),
    "eleven-may-not": Case(ELEVEN, 401, eleven("missing_permissions"), ErrorClass.PERMISSION),
    "eleven-odd": Case(ELEVEN, 401, eleven("detected_unusual_activity"), ErrorClass.PERMISSION),
    "eleven-plan": Case(ELEVEN, 403, eleven("only_for_creator+"), ErrorClass.PERMISSION),
    "eleven-long": Case(
        ELEVEN, 400, eleven("max_character_limit_exceeded"), ErrorClass.CONTEXT_LENGTH
    ),
    "eleven-voice": Case(ELEVEN, 400, eleven("voice_not_found"), ErrorClass.NOT_FOUND),
    "eleven-many": Case(
        ELEVEN, 429, eleven("too_many_concurrent_requests"), ErrorClass.RATE_LIMITED
    ),
    "eleven-busy": Case(ELEVEN, 429, eleven("system_busy"), ErrorClass.OVERLOADED),
    "eleven-list": Case(
        ELEVEN,
        422,
        {
            "detail": [
                {"loc": ["body", "text"], "msg": "field required", "type": "value_error.missing"}
            ]
        },
        ErrorClass.INVALID_REQUEST,
    ),
    # The others.
    "aimlapi-money": Case(
        "aimlapi",
        403,
        {"message": "no", "path": "/v1/chat/completions", "requestId": "x", "statusCode": 403},
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "aimlapi-key": Case(
        "aimlapi", 401, {"message": "no", "statusCode": 401}, ErrorClass.AUTHENTICATION
    ),
    "stability-moderation": Case(
        "stability",
        403,
        {"id": "x", "name": "content_moderation", "errors": ["your request was flagged"]},
        ErrorClass.CONTENT_FILTERED,
    ),
    "stability-money": Case(
        "stability", 402, {"name": "payment_required", "errors": []}, ErrorClass.INSUFFICIENT_FUNDS
    ),
    "stability-key": Case(
        "stability", 401, {"name": "unauthorized", "errors": ["x"]}, ErrorClass.AUTHENTICATION
    ),
    "stability-rate": Case(
        "stability", 429, {"name": "rate_limit_exceeded", "errors": ["x"]}, ErrorClass.RATE_LIMITED
    ),
    "stability-wrong": Case(
        "stability",
        400,
        {"name": "bad_request", "errors": ["prompt: cannot be empty"]},
        ErrorClass.INVALID_REQUEST,
    ),
    "wavespeed-money": Case(
        "wavespeed",
        403,
        {"code": 403, "message": "Insufficient balance"},
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "wavespeed-top-up": Case(
        "wavespeed", 403, {"code": 403, "message": "Please top up"}, ErrorClass.INSUFFICIENT_FUNDS
    ),
    "wavespeed-may-not": Case(
        "wavespeed", 403, {"code": 403, "message": "forbidden"}, ErrorClass.PERMISSION
    ),
    "wavespeed-in-a-200": Case(
        "wavespeed", None, {"code": 401, "message": "no"}, ErrorClass.AUTHENTICATION
    ),
    "replicate-rate": Case(
        "replicate",
        429,
        {"detail": "Request was throttled. Your rate limit resets in ~30s."},
        ErrorClass.RATE_LIMITED,
        30,
    ),
    "replicate-key": Case(
        "replicate",
        401,
        {"title": "Unauthenticated", "detail": "You did not pass a token", "status": 401},
        ErrorClass.AUTHENTICATION,
    ),
    "replicate-money": Case(
        "replicate",
        402,
        {"title": "Billing required", "detail": "x"},
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "replicate-version": Case(
        "replicate",
        422,
        {
            "title": "Invalid version",
            "detail": "The specified version does not exist",
            "status": 422,
        },
        ErrorClass.NOT_FOUND,
    ),
    "replicate-nsfw": Case(
        "replicate", None, {"detail": "NSFW content detected."}, ErrorClass.CONTENT_FILTERED
    ),
    "piapi-money": Case("piapi", 402, {"code": 402, "message": "x"}, ErrorClass.INSUFFICIENT_FUNDS),
    "cohere-blocked": Case("cohere", 498, {"id": "x", "message": "x"}, ErrorClass.CONTENT_FILTERED),
    "cohere-model": Case(
        "cohere", 404, {"id": "x", "message": "model 'x' not found"}, ErrorClass.NOT_FOUND
    ),
    "cohere-long": Case(
        "cohere", 400, {"message": "too many tokens: size limit"}, ErrorClass.CONTEXT_LENGTH
    ),
    "voyage-model": Case(
        "jina",
        400,
        {"detail": "Model x is not supported. Supported models are ['y']"},
        ErrorClass.NOT_FOUND,
    ),
    "jina-money": Case("jina", 402, {"detail": "x"}, ErrorClass.INSUFFICIENT_FUNDS),
    "hf-money": Case(
        "huggingface",
        402,
        {"error": "You have exceeded your monthly included credits for Inference Providers."},
        ErrorClass.INSUFFICIENT_FUNDS,
    ),
    "hf-key": Case(
        "huggingface", 401, {"error": "Invalid username or password."}, ErrorClass.AUTHENTICATION
    ),
    "runware-wrong": Case(
        "runware",
        400,
        {"errors": [{"code": "invalidParameter", "message": "x", "parameter": "width"}]},
        ErrorClass.INVALID_REQUEST,
    ),
}


def understood(case: Case) -> Any:
    return understand(msgspec.json.encode(case.body), status=case.status, dialect=case.dialect)


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_means_what_its_words_say(name: str) -> None:
    case = CASES[name]
    refusal = understood(case)
    assert refusal.error_class is case.error_class
    assert refusal.retry_after_s == case.wait_s


def test_every_rule_decides_a_case() -> None:
    """A row that nothing needs would be a guess."""
    decided: set[int] = set()
    for case in CASES.values():
        refusal = understood(case)
        words = " ".join(_words(case.body)).lower()
        message = refusal.message.lower()
        status = case.status or 502
        fitting = [
            place
            for place, rule in enumerate(RULES)
            if rule.fits(case.dialect, status, words, message)
            and rule.error_class is refusal.error_class
        ]
        decided.update(fitting[:1])
    assert decided == set(range(len(RULES)))


def _words(value: Any) -> list[str]:
    """Return all texts of a body."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in cast("dict[str, Any]", value).values() for text in _words(one)]
    if isinstance(value, list):
        return [text for one in cast("list[Any]", value) for text in _words(one)]
    return []


def test_headers_outrank_words_and_no_wait_brings_money() -> None:
    body = msgspec.json.encode({"detail": "Request was throttled. It resets in ~30s."})
    assert understand(body, status=429, wait_s=2.0, dialect="replicate").retry_after_s == 2.0
    money = msgspec.json.encode(openai("insufficient_quota"))
    assert understand(money, status=429, wait_s=2.0).retry_after_s is None


def test_a_rule_of_one_provider_is_not_for_others() -> None:
    body = msgspec.json.encode({"message": "no"})
    assert understand(body, status=403, dialect="openai").error_class is ErrorClass.PERMISSION
    assert understand(body, status=498, dialect="openai").error_class is ErrorClass.OVERLOADED


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>no</html>", b"[[[[[[[[1]]]]]]]]"])
def test_what_is_no_error_of_any_shape_is_judged_by_its_status(body: bytes) -> None:
    refusal = understand(body, status=503)
    assert refusal.error_class is ErrorClass.OVERLOADED
    assert refusal.message


def test_what_is_wrong_is_named() -> None:
    body = {
        "errors": [{"code": "invalidParameter", "message": "width is odd", "parameter": "width"}]
    }
    refusal = understand(msgspec.json.encode(body), status=400)
    assert (refusal.code, refusal.parameter) == ("invalidParameter", "width")
    assert refusal.message == "width is odd"
