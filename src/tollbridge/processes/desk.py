"""Which workers is the office talking with, and what is said?"""

import asyncio
import contextlib
from collections.abc import Callable

from tollbridge.api.figures import WorkerFigures
from tollbridge.core.limits import LeaseCorrection, LeaseRecall, LeaseRequest, LeaseReturn
from tollbridge.ledger.grants import Granter, ToWorker
from tollbridge.processes.link import Hello, LinkBrokenError, Part, Pulse, Wire
from tollbridge.recording.spool import Reach, nothing_happens

Parts = Callable[[], list[Part]]


class Desk:
    """The office's end of all links."""

    def __init__(self, parts: Parts, reach: Reach = nothing_happens) -> None:
        self._parts = parts
        self._reach = reach
        self._granter: Granter | None = None
        self._wires: dict[str, Wire] = {}
        self._hellos: dict[str, Hello] = {}
        self._pulses: dict[str, Pulse] = {}
        self.greeted = asyncio.Event()
        """Set once the first worker has said hello."""

    def open(self, granter: Granter) -> None:
        """Let requests for leases go to this granter."""
        self._granter = granter

    async def serve(self, wire: Wire) -> None:
        """Talk with one worker until its link breaks."""
        worker = ""
        try:
            with contextlib.suppress(LinkBrokenError):
                while True:
                    message = await wire.receive()
                    if isinstance(message, Hello):
                        worker = message.worker
                        self._greet(wire, message)
                    elif not self._hear(worker, message):
                        return
        finally:
            if self._wires.get(worker) is wire:
                del self._wires[worker]
                self._hellos.pop(worker, None)
                self._pulses.pop(worker, None)

    def send(self, worker: str, message: ToWorker) -> None:
        """Say something to one worker; to nobody, where its link is broken."""
        wire = self._wires.get(worker)
        if wire is not None:
            wire.send(message)
        if isinstance(message, LeaseRecall):
            self._reach("lease.mid_recall")

    def send_all(self, message: Part | LeaseCorrection) -> None:
        """Say something to all workers."""
        for wire in self._wires.values():
            wire.send(message)

    def recall(self, limit_id: str) -> None:
        """Ask all workers for what they can spare of a limit; they answer the granter."""
        for worker in list(self._wires):
            self.send(worker, LeaseRecall(limit_id))

    def close(self) -> None:
        """Hang up on all workers."""
        for wire in self._wires.values():
            wire.close()

    def figures(self) -> tuple[WorkerFigures, ...]:
        """Return how the workers were when they last said."""
        return tuple(
            WorkerFigures(worker=worker, pid=hello.pid)
            if (pulse := self._pulses.get(worker)) is None
            else WorkerFigures(
                worker=worker,
                pid=hello.pid,
                calls_under_way=pulse.calls_under_way,
                drains_under_way=pulse.drains_under_way,
                faults=pulse.faults,
                not_carried=pulse.not_carried,
                spool_has_room=pulse.spool_has_room,
                breakers=pulse.breakers,
                breaker_reports=pulse.breaker_reports,
                key_reports=pulse.key_reports,
            )
            for worker, hello in self._hellos.items()
        )

    def _greet(self, wire: Wire, hello: Hello) -> None:
        self._wires[hello.worker] = wire
        self._hellos[hello.worker] = hello
        for part in self._parts():
            wire.send(part)
        if self._granter is not None:
            self._granter.hello(hello.worker, hello.purses)
        self.greeted.set()

    def _hear(self, worker: str, message: object) -> bool:
        """Take a message; False where it is nothing that a worker says."""
        match message:
            case LeaseRequest() | LeaseReturn():
                if self._granter is not None:
                    self._granter.receive(worker, message)
            case Pulse():
                self._pulses[worker] = message
            case _:
                return False
        return True
