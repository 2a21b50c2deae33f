"""Where does a frame of an event stream end?

A provider's bytes arrive in any cuts. Whatever is concluded from them must not depend on the cuts,
so only whole frames are looked at; the unfinished rest waits for the next read.
"""

from typing import Protocol


class FrameTooLongError(ValueError):
    """A frame grew over `frame_max_bytes` without an end."""


class Cutter(Protocol):
    """Decides how much of what has come is passed on."""

    def feed(self, data: bytes) -> bytes:
        """Return what can be passed on now."""
        ...

    def end(self) -> bytes:
        """Return what is left at the end of the stream."""
        ...


class Uncut:
    """Passes on every byte as it comes: of sound there are no frames."""

    def feed(self, data: bytes) -> bytes:
        """Return it all."""
        return data

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class FrameCutter:
    """Gives back the whole frames of a stream, with their ends; keeps the unfinished tail.

    A frame ends with an empty line; lines end with LF or CRLF.
    """

    def __init__(self, frame_max_bytes: int) -> None:
        self._frame_max_bytes = frame_max_bytes
        self.tail = b""

    def feed(self, data: bytes) -> bytes:
        """Return all frames that are whole now, as one piece; b"" where none is.

        Raises FrameTooLongError where the unfinished frame is over the limit.
        """
        if self.tail:
            data = self.tail + data
        elif data.endswith(b"\n\n"):
            return data
        end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3)
        if end <= 2:  # neither was found: rfind gave -1
            self._keep(data)
            return b""
        self._keep(data[end:])
        return data[:end]

    def end(self) -> bytes:
        """Return what is left at the end of the stream as a frame; b"" where nothing is.

        Some providers leave out the empty line after their last frame.
        """
        tail, self.tail = self.tail, b""
        said = tail.rstrip(b"\r\n")
        return said + b"\n\n" if said else tail

    def _keep(self, tail: bytes) -> None:
        if len(tail) > self._frame_max_bytes:
            raise FrameTooLongError(f"a frame is over {self._frame_max_bytes} bytes")
        self.tail = tail


def split_frames(whole: bytes) -> list[bytes]:
    """Return the single frames of a piece that holds only whole ones, each with its end."""
    frames: list[bytes] = []
    start = 0
    while start < len(whole):
        lf = whole.find(b"\n\n", start)
        crlf = whole.find(b"\n\r\n", start)
        if lf < 0 and crlf < 0:
            frames.append(whole[start:])  # a surplus line end
            break
        end = lf + 2 if crlf < 0 or 0 <= lf < crlf else crlf + 3
        frames.append(whole[start:end])
        start = end
    return frames


def data_of(frame: bytes) -> bytes:
    """Return a frame's data: the rest of its `data:` lines, joined by newlines."""
    if frame.startswith(b"data: ") and frame.find(b"\n", 0, -2) < 0:
        return frame[6:].rstrip(b"\r\n")
    return b"\n".join(
        line[5:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"data:")
    )
