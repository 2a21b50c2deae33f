"""How is the process that knows statsforecast started, asked and ended?

One at most, started by the first question, ended by itself when nobody asks. Whatever goes wrong
with it costs the better model and not the answer: the baseline needs nobody.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import msgspec

from tollbridge.insight.forecast import Job, Path
from tollbridge.insight.forecast_child import LIBRARY, Answer, Question

LINE_BYTES_MAX = 64 * 1024 * 1024
CHILD = "tollbridge.insight.forecast_child"


class ModelsAwayError(Exception):
    """There are no better models now; the message says why."""


class ForecastModels:
    """The models of statsforecast, in a process of their own."""

    def __init__(self, timeout_s: float, idle_s: float, *, library: str = LIBRARY) -> None:
        """Start nothing yet. `library`: without which there are no models."""
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._is_there = find_spec(library) is not None
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    @property
    def is_there(self) -> bool:
        """Whether the extra `forecast` is installed."""
        return self._is_there

    async def paths(self, jobs: Sequence[Job]) -> tuple[Path, ...]:
        """Return the path of each job. Raises ModelsAwayError where nobody can say."""
        if not self._is_there:
            raise ModelsAwayError("statsforecast is not installed (the extra `forecast`)")
        line = msgspec.json.encode(Question(tuple(jobs))) + b"\n"
        try:
            async with asyncio.timeout(self._timeout_s), self._lock:
                said = await self._ask(line)
        except TimeoutError:
            raise ModelsAwayError(f"statsforecast took over {self._timeout_s:g} s") from None
        if said.error or len(said.paths) != len(jobs):
            raise ModelsAwayError(f"statsforecast failed: {said.error or 'no answer'}")
        return said.paths

    async def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    async def _ask(self, line: bytes) -> Answer:
        """Ask the process that is there; once more a new one, where it has just gone to rest."""
        was_there = self._process is not None
        said = await self._say(line)
        if not said and was_there:
            said = await self._say(line)
        if not said:
            raise ModelsAwayError("the process with statsforecast ended")
        return msgspec.json.decode(said, type=Answer)

    async def _say(self, line: bytes) -> bytes:
        """Return what is answered; nothing where the process has ended."""
        try:
            process = await self._started()
            if process.stdin is None or process.stdout is None:
                return b""
            process.stdin.write(line)
            await process.stdin.drain()
            said = await process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            said = b""
        except BaseException:
            # Cut short, by the time-out or the caller: the answer would be taken for the next one.
            await self.close()
            raise
        if not said:
            await self.close()
        return said

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                CHILD,
                str(self._idle_s),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LINE_BYTES_MAX,
            )
        return self._process
