"""How do the log lines of calls go out, when there are thousands a second?

As JSON lines, many in one write; to a terminal as plain words. A general logger would cost a call
more than its place in the books does.
"""

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import msgspec

from tollbridge.core.clock import Clock, to_text

LINES_MAX = 10_000
"""Lines that wait for their write; beyond it they are written at once."""


class LineLogger:
    """Writes lines to a file descriptor, once in a turn of the event loop."""

    def __init__(self, fd: int, clock: Clock) -> None:
        self._fd = fd
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self.is_plain = os.isatty(fd)
        """Whether words go out rather than JSON."""
        self._lines: list[bytes] = []
        self._now = ""

    def info(self, event: str, **values: Any) -> None:
        """Take a line: its words, and named values."""
        now = self._begun()
        if self.is_plain:
            self._lines.append(f"{now[11:19]} {event}\n".encode())
        else:
            line = {"timestamp": now, "level": "info", "event": event, **values}
            self._lines.append(self._encode(line) + b"\n")
        if len(self._lines) >= LINES_MAX:
            self.flush()

    def take(self, lines: Iterable[bytes]) -> None:
        """Take lines that are rendered already: the members of JSON objects. Not to a terminal."""
        stamp = b'{"timestamp":"%b","level":"info",' % self._begun().encode()
        self._lines += [b"%b%b}\n" % (stamp, line) for line in lines]
        if len(self._lines) >= LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Whoever reads the lines and stops reading makes the office wait."""
        data = b"".join(self._lines)
        self._lines.clear()
        while data:
            data = data[os.write(self._fd, data) :]

    def _begun(self) -> str:
        """Return the time of what goes out together; the first of it sees to its write."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
            self._now = to_text(self._clock.now_us())
        return self._now
