"""How is the sandbox started as a process of its own?

`python -m tollbridge.sandbox --port 9000 --log calls.jsonl` prints its address when it listens,
then the base URL of each provider that it plays.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path

import uvicorn
import uvloop

from tollbridge.sandbox.app import Sandbox, base_urls
from tollbridge.sandbox.server import configure, listen

PARENT_POLL_S = 0.25


async def main(arguments: argparse.Namespace) -> None:
    """Serve until a signal comes, or until the parent process is gone if that is asked for."""
    app = Sandbox(strict=arguments.strict, log_path=arguments.log)
    listener = listen(arguments.host, arguments.port)
    own = uvicorn.Server(configure(app))
    watch: asyncio.Task[None] | None = None
    if arguments.exit_with_parent:
        watch = asyncio.create_task(_exit_with_parent(own, os.getppid()))
    url = f"http://{arguments.host}:{listener.getsockname()[1]}"
    lines = [f"sandbox on {url}"]
    lines += [f"  {name:12} {base}" for name, base in base_urls(url).items()]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()
    try:
        await own.serve(sockets=[listener])
    finally:
        if watch is not None:
            watch.cancel()
        app.journal.shut()


async def _exit_with_parent(own: uvicorn.Server, parent: int) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110  # no event tells of a parent's death
        await asyncio.sleep(PARENT_POLL_S)
    own.should_exit = True


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tollbridge.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0 picks a free one")
    parser.add_argument("--log", type=Path, default=None, help="append the log to this file")
    parser.add_argument("--strict", action="store_true", help="refuse unknown models")
    parser.add_argument("--exit-with-parent", action="store_true", help="never be left behind")
    return parser.parse_args(words)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(parse(sys.argv[1:])))
