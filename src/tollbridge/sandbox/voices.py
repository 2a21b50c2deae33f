"""Which headers does each provider put on every answer? As recorded; values are made up."""

from typing import Final

from tollbridge.sandbox.frame import Headers

_OPENAI: Final = (
    (b"server", b"tollbridge-sandbox"),
    (b"openai-version", b"2020-10-01"),
    (b"openai-organization", b"org-sandbox"),
    (b"openai-project", b"proj_sandbox"),
    (b"x-ratelimit-limit-requests", b"500"),
    (b"x-ratelimit-limit-tokens", b"200000"),
    (b"x-ratelimit-remaining-requests", b"499"),
    (b"x-ratelimit-remaining-tokens", b"199996"),
    (b"x-ratelimit-reset-requests", b"120ms"),
    (b"x-ratelimit-reset-tokens", b"1ms"),
    (b"access-control-expose-headers", b"X-Request-ID"),
)


def openai(request_id: str, elapsed_ms: int) -> Headers:
    """Return OpenAI's headers."""
    return [
        (b"x-request-id", request_id.encode()),
        (b"openai-processing-ms", b"%d" % elapsed_ms),
        *_OPENAI,
    ]


def plain(request_id: str, elapsed_ms: int) -> Headers:
    """Return a request id and nothing that names a provider."""
    _ = elapsed_ms
    return [(b"x-request-id", request_id.encode())]


def azure(request_id: str, elapsed_ms: int) -> Headers:
    """Return the headers of Azure OpenAI: the only thing that tells it from OpenAI."""
    hexes = request_id.removeprefix("req_")
    return [
        (b"apim-request-id", uuid_of(hexes).encode()),
        (b"x-request-id", uuid_of(hexes[::-1]).encode()),
        (b"x-ms-region", b"Sandbox 1"),
        (b"x-ms-rai-invoked", b"true"),
        (b"azureml-model-session", b"d000-20260101000000"),
        (b"cmp-upstream-response-duration", b"%d" % elapsed_ms),
        (b"x-ratelimit-limit-requests", b"100"),
        (b"x-ratelimit-limit-tokens", b"100000"),
        (b"x-ratelimit-remaining-requests", b"99"),
        (b"x-ratelimit-remaining-tokens", b"99998"),
    ]


def anthropic(request_id: str, elapsed_ms: int) -> Headers:
    """Return Anthropic's headers; limits are reset at an instant of RFC 3339."""
    headers: Headers = [
        (b"request-id", request_id.replace("req_", "req_011C", 1).encode()),
        (b"server-timing", b"x-originResponse;dur=%d" % elapsed_ms),
    ]
    for name, limit in (
        ("requests", 4000),
        ("tokens", 480_000),
        ("input-tokens", 400_000),
        ("output-tokens", 80_000),
    ):
        prefix = f"anthropic-ratelimit-{name}-"
        headers += [
            (f"{prefix}limit".encode(), b"%d" % limit),
            (f"{prefix}remaining".encode(), b"%d" % (limit - 1)),
            (f"{prefix}reset".encode(), b"2026-01-01T00:00:01Z"),
        ]
    return headers


def gemini(request_id: str, elapsed_ms: int) -> Headers:
    """Return the headers of the Gemini API; it has no request id and no limits."""
    _ = request_id
    return [
        (b"server", b"scaffolding on HTTPServer2"),
        (b"server-timing", b"gfet4t7; dur=%d" % elapsed_ms),
        (b"vary", b"Origin, X-Origin, Referer"),
        (b"x-content-type-options", b"nosniff"),
    ]


def groq(request_id: str, elapsed_ms: int) -> Headers:
    """Return Groq's headers: requests are per day, tokens per minute."""
    return [
        *plain(request_id, elapsed_ms),
        (b"x-groq-region", b"sandbox"),
        (b"x-ratelimit-limit-requests", b"14400"),
        (b"x-ratelimit-limit-tokens", b"18000"),
        (b"x-ratelimit-remaining-requests", b"14370"),
        (b"x-ratelimit-remaining-tokens", b"17997"),
        (b"x-ratelimit-reset-requests", b"2m59.56s"),
        (b"x-ratelimit-reset-tokens", b"7.66s"),
    ]


def mistral(request_id: str, elapsed_ms: int) -> Headers:
    """Return Mistral's headers."""
    return [
        (b"mistral-correlation-id", uuid_of(request_id.removeprefix("req_")).encode()),
        (b"x-kong-upstream-latency", b"%d" % elapsed_ms),
        (b"x-kong-proxy-latency", b"1"),
        (b"x-ratelimit-limit-req-minute", b"60"),
        (b"x-ratelimit-remaining-req-minute", b"59"),
        (b"x-ratelimit-limit-tokens-minute", b"500000"),
        (b"x-ratelimit-remaining-tokens-minute", b"499990"),
    ]


def cohere(request_id: str, elapsed_ms: int) -> Headers:
    """Return Cohere's headers."""
    _ = elapsed_ms
    return [(b"x-debug-trace-id", request_id.removeprefix("req_").encode())]


def huggingface(request_id: str, elapsed_ms: int) -> Headers:
    """Return the router's headers; it says `retry-after` even where nothing went wrong."""
    exposed = b"X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag"
    return [
        *plain(request_id, elapsed_ms),
        (b"inference-id", uuid_of(request_id.removeprefix("req_")).encode()),
        (b"retry-after", b"30"),
        (b"access-control-expose-headers", exposed),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]


def elevenlabs(request_id: str, elapsed_ms: int) -> Headers:
    """Return ElevenLabs' headers: concurrency is limited, not rate."""
    _ = elapsed_ms
    return [
        (b"request-id", request_id.removeprefix("req_").encode()),
        (b"current-concurrent-requests", b"1"),
        (b"maximum-concurrent-requests", b"10"),
    ]


def uuid_of(hexes: str) -> str:
    """Write 32 hexadecimal digits with the dashes of a UUID."""
    return f"{hexes[:8]}-{hexes[8:12]}-{hexes[12:16]}-{hexes[16:20]}-{hexes[20:32]}"
