"""What does an emulator know of the request that it answers?"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.sandbox.answer import digest
from tollbridge.sandbox.call import Call
from tollbridge.sandbox.forms import Form, read_form
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script, ScriptBook
from tollbridge.sandbox.script import from_text as script_from_text
from tollbridge.sandbox.tasks import Order, Task, TaskBook

MODELS: Final = (
    "sandbox-small",
    "sandbox-large",
    "sandbox-embedding",
    "sandbox-rerank",
    "sandbox-image",
    "sandbox-speech",
    "sandbox-transcription",
    "sandbox-video",
)
KEPT_MAX: Final = 10_000

_T = TypeVar("_T")


class Kept:
    """What a provider remembers between requests, by a key; the oldest go beyond a limit."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._kept_max = kept_max

    def get(self, kind: str, name: str) -> Any:
        """Return what is kept, None for nothing."""
        return self._kept.get((kind, name))

    def put(self, kind: str, name: str, thing: Any) -> None:
        """Keep a thing."""
        self._kept[kind, name] = thing
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)

    def drop(self, kind: str, name: str) -> bool:
        """Forget a thing; False if it was not there."""
        return self._kept.pop((kind, name), None) is not None

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


class World(msgspec.Struct, frozen=True):
    """What all requests to one sandbox share."""

    clock: Clock
    scripts: ScriptBook
    tasks: TaskBook
    kept: Kept
    strict: bool = False
    embedding_dimensions: int = 64


class Visit:
    """One request with its body, in one dialect."""

    __slots__ = ("_headers", "body", "call", "early", "key", "params", "path", "query", "world")

    def __init__(
        self,
        call: Call,
        world: World,
        headers: Mapping[str, str],
        path: str,
        query: str,
        key: str,
    ) -> None:
        self.call = call
        self.world = world
        self.path = path
        self.query: dict[str, str] = {}
        if query:
            self.query = {name: values[-1] for name, values in parse_qs(query).items()}
        self.key = key
        self.body = b""
        self.early: Script | None = None
        self.params: dict[str, str] = {}
        self._headers = headers

    @property
    def now_us(self) -> int:
        """The time."""
        return self.world.clock.now_us()

    @property
    def created(self) -> int:
        """The time in whole seconds."""
        return self.now_us // SECOND_US

    @property
    def sequence(self) -> int:
        """The number of the request."""
        return self.call.entry.sequence

    @property
    def origin(self) -> str:
        """The sandbox's own address, as the caller knows it."""
        return f"http://{self.header('host', '127.0.0.1')}"

    def header(self, name: str, otherwise: str = "") -> str:
        """Return a request header by its name in lower case."""
        return self._headers.get(name, otherwise)

    def choose(self, model: str, text: str = "") -> Script:
        """Return the script of this request. Raises RefusedError for a model that is unknown."""
        entry = self.call.entry
        entry.model = model
        script = self.early
        if script is None:
            script = script_in(text)
        if script is None:
            script = self.world.scripts.claim(
                model, self.key, dialect=entry.dialect, operation=entry.operation
            )
        self.call.obey(script)
        if self.world.strict and entry.dialect == "openai" and model not in MODELS:
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise RefusedError("not_found", message)
        return script

    def look(self) -> Script:
        """Return the script of a request about what exists already: it has no model."""
        entry = self.call.entry
        script = self.early
        if script is None:
            script = self.world.scripts.claim(
                "", self.key, dialect=entry.dialect, operation=entry.operation
            )
        self.call.obey(script)
        return script

    def decoded(self, decoder: msgspec.json.Decoder[_T]) -> _T:
        """Decode the body. Raises RefusedError (400) that names the field."""
        return decoded(decoder, self.body)

    def form(self) -> Form:
        """Read the body as multipart/form-data. Raises RefusedError (400)."""
        return read_form(self.header("content-type"), self.body)

    def file(self, seed: bytes, name: str) -> str:
        """Return the address of a file that the sandbox will make when it is asked for."""
        return f"{self.origin}/sandbox/files/{seed.hex()[:16]}/{name}"

    def seed(self, *texts: str) -> bytes:
        """Return 32 bytes that depend on the model and these texts alone."""
        return digest(self.call.entry.model or "", texts)

    def start_task(self, name: str, order: Order, script: Script) -> Task:
        """Accept a task and bill what its end will cost."""
        task = Task(
            id=name,
            dialect=self.call.entry.dialect,
            order=order,
            script=script,
            entry=self.call.entry,
            created_at_us=self.now_us,
            key=self.key,
        )
        self.world.tasks.add(task)
        succeeds = script.task == "succeeds"
        self.call.charge(
            units=order.units if succeeds else order.billed_when_failed,
            usd=order.billed_usd if succeeds else None,
        )
        return task

    def stop_task(self, task: Task, units: dict[str, int] | None = None) -> bool:
        """Cancel a task that still runs; it then bills `units`. False if it had ended."""
        state = task.state(self.now_us)
        if state not in {"queued", "running"}:
            return False
        task.forced = "cancelled"
        task.ended_at_us = self.now_us
        self.call.amend(task.entry, units or {}, None)
        return True


def script_in(text: str) -> Script | None:
    """Read a script in a message. Raises RefusedError (400) that says what is wrong with it."""
    try:
        return script_from_text(text)
    except msgspec.DecodeError as error:
        raise RefusedError("invalid_request", f"sandbox: {error}") from error


def decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Decode a request body. Raises RefusedError (400) that names the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at ")
        param = path.strip("`").removeprefix("$.") or None
        raise RefusedError("invalid_request", text, param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = "We could not parse the JSON body of your request."
        raise RefusedError("invalid_request", message) from error


def whole(value: object, otherwise: int, param: str) -> int:
    """Read a number that a caller may have written as text. Raises RefusedError (400)."""
    if value is None:
        return otherwise
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or len(text) > 9:
        raise RefusedError("invalid_request", f"Invalid value: '{text[:50]}'.", param=param)
    return int(text)
