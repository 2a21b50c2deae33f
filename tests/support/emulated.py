"""Each provider of endpoints.toml at the address of its emulator, and a relay that goes there."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.carrier import Carried, Carrier, carrying
from tests.support.chats import MINIMAL
from tests.support.chats import asked as asked_chat
from tests.support.evidence import a_book
from tests.support.media import asked as asked_media
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.core.account import CallAccount
from tollbridge.core.call import CATEGORY_OF, Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.request import Request
from tollbridge.routing.builtin import load_known
from tollbridge.sandbox import LogEntry, Script
from tollbridge.sandbox.dialects.registry import DIALECTS

KNOWN = load_known().endpoints
TOKENS: Mapping[str, str] = {"input": "0.15", "output": "0.60"}
MADE: Mapping[Operation, dict[str, Any]] = {
    Operation.IMAGE_GENERATION: {"prompt": "a bridge", "n": 1},
    Operation.AUDIO_SPEECH: {"input": "Hello there", "voice": "alloy"},
    Operation.RERANK: {"query": "a bridge", "documents": ["a toll", "a bridge"]},
}
"""What is asked for where a test does not care."""
_EMULATED = {
    "google": "gemini",
    "piapi-tasks": "piapi",
    "llamacpp": "vllm",
    "ollama": "vllm",
    "sandbox": "openai",
}
_BASES = {dialect.name: dialect.base for dialect in DIALECTS}
_PATHS = {"vllm": "/v1", "llamacpp": "/v1", "ollama": "/v1", "sandbox": "/v1"}


class Asked(NamedTuple):
    """What a provider is asked, and at which prices."""

    name: str
    operation: Operation = Operation.CHAT_COMPLETION
    rates: Mapping[str, str] = TOKENS
    model: str = ""
    face: str = "openai"

    def request(self, *, stream: bool = False) -> Request:
        """Return a caller's request."""
        if self.operation is Operation.CHAT_COMPLETION:
            return asked_chat(self.face, MINIMAL[self.face], stream=stream)
        return asked_media(self.operation, model="label", **MADE[self.operation])


class Lane(NamedTuple):
    """What carries, and who answers."""

    sandbox: RunningSandbox
    carrier: Carrier

    async def carry(
        self,
        asked: Asked,
        script: Script,
        *,
        stream: bool = False,
        request: Request | None = None,
        then: Sequence[Asked] = (),
    ) -> Carried:
        """Carry one call to a provider that obeys a script; `then` are asked after it, and do not.

        `request` stands for the one that is asked where a test does not care.
        """
        scripts = self.sandbox.app.scripts
        scripts.clear()
        if then:
            scripts.push([script])
        else:
            scripts.default = script
        doors = [self.door(one) for one in (asked, *then)]
        return await self.carrier.carry(request or asked.request(stream=stream), doors)

    def door(self, asked: Asked) -> tuple[Endpoint, str]:
        """Return the endpoint as endpoints.toml has it, at the emulator's address, and a model."""
        known = KNOWN[asked.name]
        address = known.base_url.removeprefix("{address}").partition("://")
        slash, path = (address[2] or address[0]).partition("/")[1:]
        below = _PATHS.get(asked.name) or slash + path
        endpoint = Endpoint(
            name=asked.name,
            provider=known.provider or asked.name,
            dialect=known.dialect,
            base_url=f"{self.sandbox.url}{_BASES[_EMULATED.get(asked.name, asked.name)]}{below}",
            api_key="secret",
            quirks=known.quirks,
            auth=known.auth,
        )
        return endpoint, asked.model or known.default_models[CATEGORY_OF[asked.operation].value]

    def account(self, asked: Asked, carried: Carried) -> CallAccount:
        """Return what a call comes to."""
        endpoint, model = self.door(asked)
        return carried.account(a_book(endpoint.provider, model, asked.rates))

    async def billed(self) -> LogEntry:
        """Return what was billed for the last request that was."""
        log = await self.sandbox.finished(1)
        return next(one for one in reversed(log) if one.usage is not None or one.units)


@contextlib.asynccontextmanager
async def running_lane() -> AsyncGenerator[Lane]:
    """Run a sandbox, and carry calls to it."""
    async with (
        running_sandbox() as sandbox,
        carrying(sandbox.url.removeprefix("http://")) as carrier,
    ):
        yield Lane(sandbox, carrier)
