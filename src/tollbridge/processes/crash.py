"""Where does a crash test kill the process?

Set by `crash_at`, "POINT" or "POINT:N" for the Nth time that a point is passed. In use there is
no such setting, and passing a point costs an empty call.
"""

import os
import signal

from tollbridge.recording.spool import Reach, Write, nothing_happens

MID_LINE = "spool.mid_line"


def crash_points(crash_at: str | None) -> tuple[Reach, Write]:
    """Return what to call at named points, and how to write a spool line."""
    if not crash_at:
        return nothing_happens, os.write
    point, _, count = crash_at.partition(":")
    left = int(count or 1)

    def reach(passed: str) -> None:
        nonlocal left
        if passed == point:
            left -= 1
            if left == 0:
                _die()

    def write(fd: int, data: bytes) -> int:
        nonlocal left
        if point == MID_LINE and b'"kind":"opened"' in data:
            left -= 1
            if left == 0:
                os.write(fd, data[: len(data) // 2])
                _die()
        return os.write(fd, data)

    return reach, write


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
