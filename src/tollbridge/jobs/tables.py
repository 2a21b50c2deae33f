"""Which rows do jobs keep?"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from tollbridge.storage.types import CallId, Instant, Json, metadata

NAME_LENGTH_MAX = 128
WORD_LENGTH_MAX = 32
TOKEN_LENGTH = 32

media_jobs = Table(
    "media_jobs",
    metadata,
    # The call's id: the job is one call, with one id for ever.
    Column("job_id", CallId, primary_key=True),
    # The office that drives it.
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    # What a provider's webhook must know.
    Column("token", String(TOKEN_LENGTH), nullable=False, unique=True),
    Column("key_id", String(64), nullable=False),
    Column("user", String(NAME_LENGTH_MAX), nullable=False),
    Column("operation", String(WORD_LENGTH_MAX), nullable=False),
    Column("category", String(WORD_LENGTH_MAX), nullable=False),
    Column("status", String(WORD_LENGTH_MAX), nullable=False),
    Column("phase", String(WORD_LENGTH_MAX), nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Column("deadline_at_us", Instant, nullable=False),
    Column("finished_at_us", Instant),
    Column("progress_percent", Integer, nullable=False),
    # Evidence: what `opened` says of a call.
    Column("opened", Text, nullable=False),
    # The request's body, as JSON; emptied when the job is finished.
    Column("body", Text, nullable=False),
    # [[endpoint, model, reason], …]
    Column("candidates", Json, nullable=False),
    # Whether the next of them is asked what one's filter refused: final, fallback.
    Column(
        "on_content_filtered",
        String(WORD_LENGTH_MAX),
        nullable=False,
        server_default=text("'final'"),
    ),
    # Which of them is at work or comes next.
    Column("candidate", Integer, nullable=False),
    # Evidence: the attempts so far.
    Column("attempts", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("task_started_at_us", Instant),
    # Calls at once that it takes part in: [[limit, lease, period start, amount], …]
    Column("counted", Json, nullable=False),
    Column("asks_to_stop", Boolean, nullable=False),
    # [{url, content_type, text}, …], and the endpoint that gives what lies behind its key.
    Column("outputs", Json),
    Column("output_endpoint", String(NAME_LENGTH_MAX)),
    Column("error", Json),
    # What is shown of the request: prompt, seconds, size, and what it answers in.
    Column("shown", Json, nullable=False),
    # Who is told when it is finished, and how that went.
    Column("webhook_url", Text),
    Column("webhook_state", String(WORD_LENGTH_MAX)),
    Column("is_deleted", Boolean, nullable=False),
    Index("ix_media_jobs_key_id_job_id", "key_id", "job_id"),
    Index("ix_media_jobs_finished_at_us", "finished_at_us"),
)
