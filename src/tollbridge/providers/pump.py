"""How do a stream's frames get from the provider to the caller?

In the very callback that read them: no task is woken, nothing is queued. Where the caller reads
slower than the provider writes, the provider's socket is left unread.
"""

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.frames import Cutter
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.response import Response
from tollbridge.providers.wire import StreamReader


class Pump:
    """Takes the reads of one stream: notes what they say, and passes whole frames on."""

    __slots__ = ("_attempt", "_cutter", "_passage", "_reader", "_reply", "_response")

    def __init__(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reply: Reply,
        response: Response,
        cutter: Cutter,
        reader: StreamReader,
    ) -> None:
        self._passage = passage
        self._attempt = attempt
        self._reply = reply
        self._response = response
        self._cutter = cutter
        self._reader = reader

    def take(self, data: bytes) -> None:
        """Take what one read gave; a caller who is gone gets nothing, and all of it is noted."""
        self._attempt.output_bytes += len(data)
        reader, reply = self._reader, self._reply
        try:
            whole = self._cutter.feed(data)
            if not whole:
                return
            out = reader.pass_on(whole)
            if out and not reply.gone:
                self._passage.response_bytes += len(out)
                reply.push(out)
                if reply.is_full:
                    self._response.hold()
            if reader.failure is not None:
                self._response.stop(reader.failure)
        except (ValueError, StreamFailedError) as error:
            self._response.stop(error)
