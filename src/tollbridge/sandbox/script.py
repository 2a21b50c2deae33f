"""What should go wrong with this request?

A script is a JSON object; every field is optional and an unknown field is an error, so that a
misspelt fault never passes for a healthy answer.
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

DELAY_S_MAX = 3600
CHUNKS_MAX = 100_000
CHUNK_BYTES_MAX = 1 << 20

Delay = Annotated[float, msgspec.Meta(ge=0, le=DELAY_S_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=CHUNKS_MAX)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=CHUNK_BYTES_MAX)]


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The faults of one answer; the default has none.

    Which request (only of a queued script)
        `model`: that model only. `key`: only a key that ends so.
    Refusals
        `status`, `error` (a name of `refusals.KINDS`; each implies the other), `retry_after_s`,
        `body` (sent verbatim instead of the error object).
    Pace, in seconds
        `delay_first_byte_s`, `delay_per_chunk_s`, `read_delay_s` (before each read of the request
        body; only from a header or a queued script without `model`), `hang` (never answers).
    Size
        `chunks` (content chunks per choice), `chunk_bytes` (bytes of text in each).
    Breaks
        `close_before_head`, `cut_after_chunks` (of a stream), `cut_body_at_bytes` (of a plain
        body), `cut_by`: close (all that was written still arrives) or reset (TCP RST).
    Lies
        `malformed_json` (half a JSON document), `malformed_sse` (no `data:`, no blank lines); in a
        stream both begin after `malformed_after_chunks` content chunks (0). `error_frame_first`,
        `error_frame_after_chunks`, `empty_stream`, `no_done`.
    Usage
        `usage`: normal, missing, zero, null, or an object laid over the honest one;
        `usage_then_extra_chunk`, `usage_in_every_chunk` (cumulative).
    Bytes
        `crlf`, `comments`, `split` (pieces of so many bytes), `extra_headers`.
    """

    model: str | None = None
    key: str | None = None

    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    error: str | None = None
    retry_after_s: Delay | None = None
    body: str | None = None

    delay_first_byte_s: Delay = 0.0
    delay_per_chunk_s: Delay = 0.0
    read_delay_s: Delay = 0.0
    hang: bool = False

    chunks: Count | None = None
    chunk_bytes: Annotated[int, msgspec.Meta(ge=2, le=CHUNK_BYTES_MAX)] | None = None

    close_before_head: bool = False
    cut_after_chunks: Count | None = None
    cut_body_at_bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    cut_by: Literal["close", "reset"] = "close"

    malformed_json: bool = False
    malformed_sse: bool = False
    malformed_after_chunks: Count = 0
    error_frame_first: bool = False
    error_frame_after_chunks: Count | None = None
    empty_stream: bool = False
    no_done: bool = False

    usage: Literal["normal", "missing", "zero", "null"] | dict[str, Any] = "normal"
    usage_then_extra_chunk: bool = False
    usage_in_every_chunk: bool = False

    crlf: bool = False
    comments: bool = False
    split: Bytes | None = None
    extra_headers: dict[str, str] = {}


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

    def claim(self, model: str, key: str) -> Script:
        """Consume the first queued script that matches, else return the default."""
        for script in self._queue:
            if script.model in {None, model} and key.endswith(script.key or ""):
                self._queue.remove(script)
                return script
        return self.default
