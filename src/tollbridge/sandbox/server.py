"""How is the sandbox put on a port?"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tollbridge.sandbox.app import Sandbox
from tollbridge.sandbox.exchange import TRANSPORT

SHUTDOWN_GRACE_S = 1
KEEP_ALIVE_S = 75
BACKLOG = 2048


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the transport in the scope, so that an answer can be cut."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        extensions: dict[Any, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a listening socket; port 0 picks a free one.

    The protocol is named because asyncio sets TCP_NODELAY only where it is: without it each second
    small write waits 40 ms for the peer's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    return listener


def configure(app: Sandbox) -> uvicorn.Config:
    """Return uvicorn's configuration for a sandbox."""
    return uvicorn.Config(
        app,
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        backlog=BACKLOG,
    )


@contextlib.asynccontextmanager
async def running(app: Sandbox, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve as a guest in this event loop; yields the base URL without a path.

    Only the protocol is uvicorn's: its server would take the host's signals. At the end all
    connections are dropped, and requests still under way have `SHUTDOWN_GRACE_S` to notice.
    """
    listener = listen(host, port)
    config = configure(app)
    config.load()
    state = ServerState()
    guest = await asyncio.get_running_loop().create_server(
        lambda: SandboxProtocol(config, state, {}), sock=listener
    )
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        guest.close()
        for connection in tuple(state.connections):
            if isinstance(connection, SandboxProtocol):
                connection.transport.abort()
        if state.tasks:
            _, late = await asyncio.wait(state.tasks, timeout=SHUTDOWN_GRACE_S)
            for task in late:
                task.cancel()
