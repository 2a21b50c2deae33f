"""How did a job end: what did it make, and what is its caller told?"""

from tollbridge.core.call import Ending
from tollbridge.jobs.job import Job, JobError, MadeThing
from tollbridge.providers.verdict import FINAL_OF, conclude
from tollbridge.providers.wire import Given

STOPPED = "it was cancelled"
TIMED_OUT = "it took too long"


def verdict(job: Job, ending: Ending, why: str | None) -> tuple[int, JobError | None]:
    """Return the status that the call has in the books, and what its caller is told."""
    if ending is Ending.COMPLETE:
        return 200, None
    if ending is Ending.CALLER_LEFT:
        return 499, JobError("cancelled", why or STOPPED)
    if ending is Ending.PROVIDER_BROKE:
        return 504, JobError("timeout", why or TIMED_OUT)
    told = conclude(job.attempts, FINAL_OF[job.on_content_filtered])
    code = told.details.get("code", told.code)
    return told.status, JobError(str(code), told.message)


def made_of(given: Given) -> tuple[MadeThing, ...]:
    """Return what a task has made, as it is kept."""
    if given.outputs:
        return tuple(
            MadeThing(one.url or "", one.content_type, one.text or "") for one in given.outputs
        )
    content_type = given.content_type.decode("latin-1")
    return (MadeThing("", content_type, given.body.decode("utf-8", "replace")),)
