"""What does a process write to its log, and what never?

Of an error of ours its kind and the places it passed: file, line and function. Never its words,
and never the values of variables, since among those are keys and bodies.
"""

import logging
import sys
from traceback import walk_tb

import structlog

from tollbridge.core.errors import TollbridgeError

FRAMES_MAX = 20


def set_up_logs() -> None:
    """Let this process log JSON lines to its error output; plain words on a terminal."""
    plain = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if plain
            else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries speak only of what is wrong with themselves, and uvicorn of nothing.
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s")
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def places_of(error: BaseException) -> list[str]:
    """Return where an error came by, innermost last: "file:line function"."""
    frames = [
        f"{frame.f_code.co_filename.rpartition('/tollbridge/')[2]}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return frames[-FRAMES_MAX:]


def why(error: BaseException) -> str:
    """Return what a person should know of an error that ended a process.

    Words of our own errors and of the operating system; of any other error its kind alone.
    """
    words: list[str] = []
    current: BaseException | None = error
    while current is not None and len(words) < FRAMES_MAX:
        if isinstance(current, TollbridgeError):
            words.append(current.message)
        elif isinstance(current, OSError) and current.strerror:
            words.append(f"{type(current).__name__}: {current.strerror}")
        else:
            words.append(type(current).__name__)
        current = current.__cause__ or current.__context__
    return " < ".join(dict.fromkeys(words))


def cause_of(error: BaseException) -> str:
    """Return the kind of an error and of what caused it, without their words."""
    kinds: list[str] = []
    current: BaseException | None = error
    while current is not None and len(kinds) < FRAMES_MAX:
        kinds.append(type(current).__name__)
        current = current.__cause__ or current.__context__
    return " < ".join(kinds)
