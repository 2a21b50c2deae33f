"""The example's bot and its workers, against a stand-in of Telegram's Bot API on loopback."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.support.node import KEY, config_of, running_node
from tests.support.raw_provider import running_raw_provider

BOT = Path(__file__).parents[2] / "examples" / "telegram_bot" / "bot.py"
WAIT_MAX_S = 120.0


class BotApi:
    """Telegram's side: gives each update once, and keeps what the bot sends."""

    def __init__(self) -> None:
        self.url = ""
        self.updates: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str]] = []

    def say(self, words: str) -> None:
        """Let somebody say something to the bot."""
        number = len(self.updates) + 1
        message = {
            "message_id": number,
            "date": 1,
            "chat": {"id": 7, "type": "private"},
            "from": {"id": 7, "is_bot": False, "first_name": "Ana"},
            "text": words,
            "entities": [
                {"type": "bot_command", "offset": 0, "length": len(words.partition(" ")[0])}
            ],
        }
        self.updates.append({"update_id": number, "message": message})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.partition(":")[2])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                body = (await reader.readexactly(length)).decode("utf-8", "replace")
                method = head.split(" ")[1].rpartition("/")[2]
                answer = json.dumps({"ok": True, "result": await self._result(method, body)})
                writer.write(
                    b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(answer), answer.encode())
                )
        writer.close()

    async def _result(self, method: str, body: str) -> Any:
        if method == "getMe":
            return {"id": 1, "is_bot": True, "first_name": "bot", "username": "bot"}
        if method == "getUpdates":
            offset = int(_field(body, "offset") or 0)
            await asyncio.sleep(0.05)
            return [one for one in self.updates if one["update_id"] >= offset]
        if method.startswith("send"):
            self.sent.append((method, body))
            return {"message_id": 99, "date": 1, "chat": {"id": 7, "type": "private"}}
        return True


def _field(body: str, name: str) -> str:
    if f'name="{name}"' in body:
        return body.split(f'name="{name}"')[1].split("\r\n\r\n")[1].split("\r\n", maxsplit=1)[0]
    return parse_qs(body).get(name, [""])[0]


@contextlib.asynccontextmanager
async def running_bot_api() -> AsyncGenerator[BotApi]:
    api = BotApi()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    try:
        api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield api
    finally:
        server.close()


async def test_what_is_asked_of_the_bot_is_made_and_sent_with_its_makers_name(
    tmp_path: Path,
) -> None:
    async with running_raw_provider() as provider, running_bot_api() as api:
        # No model is named: the category's own providers serve, in their order.
        config = config_of(provider.url).replace(
            'api_key = "secret-1"\n',
            'api_key = "secret-1"\ndefault_models = { text = "gpt-4o-mini" }\n',
        )
        async with running_node(tmp_path, config) as node:
            environment = {
                **os.environ,
                "BOT_TOKEN": "42:token",
                "BOT_API_URL": api.url,
                "TOLLBRIDGE_URL": node.url,
                "TOLLBRIDGE_KEY": KEY,
            }
            bot = subprocess.Popen([sys.executable, str(BOT)], env=environment)
            try:
                api.say("/text a paper boat")
                async with asyncio.timeout(WAIT_MAX_S):
                    while len(api.sent) < 2:
                        assert bot.poll() is None
                        await asyncio.sleep(0.05)
            finally:
                bot.terminate()
                bot.wait(WAIT_MAX_S)
            (_, first), (method, second) = api.sent
            assert _field(first, "text") == "On its way."
            assert (method, _field(second, "text")) == ("sendMessage", "hi\n\nby p1")
