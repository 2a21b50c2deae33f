"""How is sound read that goes out as it comes, and how are pictures of a stream counted?"""

import re

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.responses_stream import EventStream
from tollbridge.providers.wire import UsageMerge

_COMPLETED = re.compile(rb'"type"\s*:\s*"image_(?:generation|edit)\.completed"')


class Bytes:
    """Passes on bytes that are no frames; what was counted is said when the first of them come."""

    def __init__(
        self, attempt: AttemptEvidence, counts: dict[str, int], facts: dict[str, str]
    ) -> None:
        self._attempt = attempt
        self._counts = counts
        self._facts = facts
        self.failure: Exception | None = None
        self.finished = False

    def first(self, whole: bytes) -> bytes:
        """Return the first bytes."""
        if whole:
            self._attempt.counts.update(self._counts)
            self._attempt.facts.update(self._facts)
            self.finished = True  # the transport says where it ends
        return whole

    def pass_on(self, whole: bytes) -> bytes:
        """Return all bytes."""
        return whole

    def last(self, frame: bytes) -> bytes:
        """Return what is left."""
        return frame

    def raise_failure(self) -> None:
        """Raise nothing: any bytes will do."""


class Pictures(EventStream):
    """A stream of pictures: each that is completed is one to bill."""

    def __init__(
        self, attempt: AttemptEvidence, merge_usage: UsageMerge, facts: dict[str, str]
    ) -> None:
        super().__init__(attempt, merge_usage)
        self._evidence = attempt
        attempt.facts.update(facts)

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return those that the caller gets."""
        made = len(_COMPLETED.findall(whole))
        if made:
            counts = self._evidence.counts
            counts[Unit.IMAGE.value] = counts.get(Unit.IMAGE.value, 0) + made
        return super().pass_on(whole)
