"""How soon did an endpoint's model begin to answer, of late?

A moving estimate per worker, by endpoint and model: each new time counts a fifth. It is the time
to the first byte, which is the whole time of an answer that is not streamed.
"""

NEW_SHARE = 0.2
"""How much of the estimate is the latest time."""
ENTRIES_MAX = 10_000


class Speeds:
    """The estimates of one worker."""

    __slots__ = ("_first_byte_s",)

    def __init__(self) -> None:
        self._first_byte_s: dict[tuple[str, str], float] = {}

    def took(self, endpoint: str, model: str, first_byte_s: float) -> None:
        """Note how long one attempt took to its first byte, in seconds."""
        estimates = self._first_byte_s
        before = estimates.get((endpoint, model))
        if before is None:
            if len(estimates) >= ENTRIES_MAX:
                estimates.clear()
            estimates[endpoint, model] = first_byte_s
        else:
            estimates[endpoint, model] = before + NEW_SHARE * (first_byte_s - before)

    def first_byte_s(self, endpoint: str, model: str) -> float | None:
        """Return the estimate in seconds, None where nothing is known yet."""
        return self._first_byte_s.get((endpoint, model))
