"""Who sees to it that a job goes on after its process has died?

DBOS keeps, in a database of its own, which workflows were begun and which of their steps are done,
and begins those again that were cut off. A step may run twice; ours may (see `drive`). It is
launched in the office alone, once: a second launch would run steps beside the first.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

NAME = "tollbridge"
WORKFLOW = "tollbridge.media_job"
STEP = "turn"
SCHEMA = "tollbridge_jobs"
VERSION = "1"
"""Of the workflow's shape: what was begun under another one is not gone on with."""

Turn = Callable[[str], Awaitable[bool]]
"""Takes a job's next step; returns whether there is none left."""


class Engine:
    """The durable workflows of one office."""

    def __init__(self, url: str, node: str, turn: Turn) -> None:
        """`url` is that of the engine's own database: SQLite, or PostgreSQL for its own schema."""
        self._url = url
        self._node = node
        self._turn = turn
        self._workflow: Callable[[str], Coroutine[Any, Any, None]] | None = None

    def launch(self) -> None:
        """Begin, and go on with what was cut off. To be called in the office's event loop."""
        turn = self._turn
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": self._url,
            "application_version": VERSION,
            "executor_id": self._node,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        if self._url.startswith("postgresql"):
            config["dbos_system_schema"] = SCHEMA
        DBOS(config=config)

        async def media_job(job_id: str) -> None:
            while not await DBOS.run_step_async({"name": STEP}, turn, job_id):
                pass

        self._workflow = DBOS.workflow(name=WORKFLOW)(media_job)
        DBOS.launch()

    async def begin(self, job_id: str, run: str) -> None:
        """Begin a workflow for a job. Beside one that is under way it does nothing.

        `run` tells apart what is begun for the same job by one office after the other: what the
        engine takes for over is begun anew, and the job's row knows what is left of it.
        """
        if self._workflow is None:
            return
        with SetWorkflowID(f"{job_id}:{run}"):
            await DBOS.start_workflow_async(self._workflow, job_id)

    async def tidy(self, rows_max: int = 1000) -> None:
        """Forget workflows that are over: of a job its own row tells everything."""
        over = await DBOS.list_workflows_async(status=["SUCCESS", "ERROR"], limit=rows_max)
        if over:
            await DBOS.delete_workflows_async([one.workflow_id for one in over])

    def close(self) -> None:
        """End it; what is under way is gone on with at the next launch."""
        if self._workflow is not None:
            self._workflow = None
            DBOS.destroy(destroy_registry=True)
