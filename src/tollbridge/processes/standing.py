"""Which endpoints are in trouble, as all processes of a node see it?"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from tollbridge.api.figures import WorkerFigures
from tollbridge.routing.health import Breaker, Health


class NodeHealth:
    """The office's own breakers, and where those are closed its workers'.

    To a worker's half-open breaker the probe is its own to make: here it counts as closed.
    """

    def __init__(self, own: Health, workers: Callable[[], Sequence[WorkerFigures]]) -> None:
        self._own = own
        self._workers = workers

    @property
    def troubled(self) -> AbstractSet[str]:
        """The endpoints whose breaker is not closed."""
        return self._own.troubled | self._open_elsewhere()

    def state(self, endpoint: str) -> Breaker:
        """Return where an endpoint's breaker stands."""
        own = self._own.state(endpoint)
        if own is Breaker.CLOSED and endpoint in self._open_elsewhere():
            return Breaker.OPEN
        return own

    def first_byte_s(self, endpoint: str, model: str) -> float | None:
        """Return about how long a first byte takes, None where nothing is known yet."""
        return self._own.first_byte_s(endpoint, model)

    def _open_elsewhere(self) -> frozenset[str]:
        return frozenset(
            endpoint
            for worker in self._workers()
            for endpoint, state in worker.breakers.items()
            if state == Breaker.OPEN
        )
