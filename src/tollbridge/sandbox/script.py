"""What should go wrong with this request?

A script is a JSON object; every field is optional and an unknown field is an error, so that a
misspelt fault never passes for a healthy answer.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

DELAY_S_MAX = 3600
CHUNKS_MAX = 100_000
CHUNK_BYTES_MAX = 1 << 20

Delay = Annotated[float, msgspec.Meta(ge=0, le=DELAY_S_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=CHUNKS_MAX)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=CHUNK_BYTES_MAX)]
Ending = Literal["succeeds", "fails", "never", "expires", "aborts"]
WebhookManner = Literal["off", "once", "twice", "before_answer", "bad_signature", "old_timestamp"]

LATER_OPERATIONS = frozenset({"poll", "cancel", "content", "list", "delete"})
"""About what exists already: they meet only scripts that are meant for them."""


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The faults of one answer; the default has none.

    Which request (only of a queued script)
        `model`: that model only. `key`: only a key that ends so. `dialect`, `operation`: only
        these. Requests about a task that exists already (operations poll, cancel, content, list,
        delete) take only scripts, and only a default, with that `operation`.
    Refusals
        `status`, `error` (a name of `refusals.KINDS`; each implies the other), `retry_after_s`,
        `retry_after_as` (both, seconds, date, ms; a dialect may have a way of its own),
        `body` (sent verbatim instead of the error object), `error_in_200` (the error object with
        the status of a success).
    Pace, in seconds
        `delay_first_byte_s`, `delay_per_chunk_s`, `read_delay_s` (before each read of the request
        body; only from a header or a queued script without `model`), `hang` (never answers).
    Size
        `chunks` (content chunks per choice), `chunk_bytes` (bytes of text in each).
    Saying
        `tool_calls` (true: the first tool; or its name), `thoughts` (tokens of reasoning),
        `finish` (verbatim finish reason), `filtered` (the provider's safety system steps in).
    Breaks
        `close_before_head`, `cut_after_chunks` (of a stream), `cut_body_at_bytes` (of a plain
        body), `cut_by`: close (all that was written still arrives) or reset (TCP RST);
        `answer_lost`: accepted, done and billed, but the connection drops before the head.
    Lies
        `malformed_json` (half a JSON document), `malformed_sse` (no `data:`, no blank lines); in a
        stream both begin after `malformed_after_chunks` content chunks (0). `error_frame_first`,
        `error_frame_after_chunks`, `empty_stream`, `no_done`.
    Usage
        `usage`: normal, missing, zero, null, or an object laid over the honest one;
        `usage_at_start`: an object laid over what a stream tells before its end;
        `usage_then_extra_chunk`, `usage_in_every_chunk` (cumulative); `cost_usd`: what the
        provider says it charged, where it says so.
    Routing
        `model_returned`, `service_tier`, `provider` (who served behind a router),
        `tried` (providers that failed before), `byok`, `cache_hit`.
    Tasks
        `task` (how it ends), `task_polls` (polls that find it unfinished), `task_s` (and seconds),
        `task_status` (a status said instead of the honest one while it runs), `task_outputs`,
        `poll_errors` (polls answered with `poll_status`), `webhook` (what is sent to the address
        that the submit names; off unless asked for).
    Bytes
        `crlf`, `comments`, `split` (pieces of so many bytes), `extra_headers`, `data_lines`
        (lines per event), `trailing_spaces` (in JSON).
    """

    model: str | None = None
    key: str | None = None
    dialect: str | None = None
    operation: str | None = None

    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    error: str | None = None
    retry_after_s: Delay | None = None
    retry_after_as: Literal["both", "seconds", "date", "ms"] = "both"
    body: str | None = None
    error_in_200: bool = False

    delay_first_byte_s: Delay = 0.0
    delay_per_chunk_s: Delay = 0.0
    read_delay_s: Delay = 0.0
    hang: bool = False

    chunks: Count | None = None
    chunk_bytes: Annotated[int, msgspec.Meta(ge=2, le=CHUNK_BYTES_MAX)] | None = None

    tool_calls: bool | str = False
    thoughts: Count = 0
    finish: str | None = None
    filtered: bool = False

    close_before_head: bool = False
    cut_after_chunks: Count | None = None
    cut_body_at_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    cut_by: Literal["close", "reset"] = "close"
    answer_lost: bool = False

    malformed_json: bool = False
    malformed_sse: bool = False
    malformed_after_chunks: Count = 0
    error_frame_first: bool = False
    error_frame_after_chunks: Count | None = None
    empty_stream: bool = False
    no_done: bool = False

    usage: Literal["normal", "missing", "zero", "null"] | dict[str, Any] = "normal"
    usage_at_start: dict[str, Any] = {}
    usage_then_extra_chunk: bool = False
    usage_in_every_chunk: bool = False
    cost_usd: Decimal | None = None

    model_returned: str | None = None
    service_tier: str | None = None
    provider: str | None = None
    tried: list[str] = []
    byok: bool = False
    cache_hit: bool = False

    task: Ending = "succeeds"
    task_polls: Count = 1
    task_s: Delay = 0.0
    task_status: str | None = None
    task_outputs: Literal["normal", "empty", "flagged", "removed", "gone"] = "normal"
    poll_errors: Count = 0
    poll_status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    webhook: WebhookManner = "off"

    crlf: bool = False
    comments: bool = False
    split: Bytes | None = None
    extra_headers: dict[str, str] = {}
    data_lines: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    trailing_spaces: bool = False


NO_FAULTS = Script()


class ScriptOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /sandbox/script`: scripts to queue, and the default if it is given."""

    queue: list[Script] = []
    default: Script | msgspec.UnsetType | None = msgspec.UNSET


class _ScriptMessage(msgspec.Struct, frozen=True):
    """A message that is an order to the sandbox."""

    sandbox: Script


_script_decoder = msgspec.json.Decoder(Script)
_message_decoder = msgspec.json.Decoder(_ScriptMessage)


def from_header(value: bytes) -> Script:
    """Read a script from its header. Raises msgspec.DecodeError where it is not one."""
    return _script_decoder.decode(value)


def from_text(text: str) -> Script | None:
    """Return the script that a message carries, or None for an ordinary message.

    Raises msgspec.DecodeError for an object with the key `sandbox` that is not a script.
    """
    if not text.startswith("{") or '"sandbox"' not in text:
        return None
    return _message_decoder.decode(text).sandbox


class ScriptBook:
    """The queued scripts, each consumed by one request, and the default for all others."""

    def __init__(self, *, queue_scripts_max: int = 100_000) -> None:
        self._queue: deque[Script] = deque()
        self._queue_scripts_max = queue_scripts_max
        self.default = NO_FAULTS

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, scripts: Sequence[Script]) -> None:
        """Append scripts. Raises ValueError beyond `queue_scripts_max`."""
        if len(self._queue) + len(scripts) > self._queue_scripts_max:
            raise ValueError(f"more than {self._queue_scripts_max} scripts are queued")
        self._queue.extend(scripts)

    def clear(self) -> None:
        """Forget the queue and the default."""
        self._queue.clear()
        self.default = NO_FAULTS

    def claim_before_body(self, key: str) -> Script | None:
        """Consume the first slow-reader script that this key meets; its model is not yet known."""
        for script in self._queue:
            if script.read_delay_s and script.model is None and key.endswith(script.key or ""):
                self._queue.remove(script)
                return script
        return self.default if self.default.read_delay_s else None

    def claim(
        self, model: str, key: str, *, dialect: str = "openai", operation: str = "chat_completion"
    ) -> Script:
        """Consume the first queued script that matches, else return the default."""
        for script in self._queue:
            if (
                script.model in {None, model}
                and key.endswith(script.key or "")
                and _is_for(script, dialect, operation)
            ):
                self._queue.remove(script)
                return script
        return self.default if _is_for(self.default, dialect, operation) else NO_FAULTS


def _is_for(script: Script, dialect: str, operation: str) -> bool:
    if script.dialect not in {None, dialect}:
        return False
    if operation in LATER_OPERATIONS:
        return script.operation == operation
    return script.operation in {None, operation}
