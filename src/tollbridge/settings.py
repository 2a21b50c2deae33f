"""Which knobs are there, in which unit, and what do they do?

Read once, by the processes and the command line, and handed on as values. Each is set by an
environment variable: TOLLBRIDGE_ and its name in capitals; a `.env` in the working directory is
read too. Secrets have no default: what is not given is made at the first start and kept in the
data directory.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tollbridge.core.schedule import Schedule
from tollbridge.settings_insight import InsightSettings

MIB = 1024 * 1024
ARCHIVE_CRON = "TOLLBRIDGE_DETAILS_ARCHIVE_CRON"


class Settings(InsightSettings, BaseSettings):
    """All settings of Tollbridge."""

    model_config = SettingsConfigDict(
        env_prefix="TOLLBRIDGE_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    # Where
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    data_dir: Path = Field(
        default=Path("data"), description="Directory of database, spool and secrets."
    )
    config: Path | None = Field(
        default=None, description="Configuration file, applied at each start."
    )
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL or SQLite URL; SQLite in the data directory where not given.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Worker processes.")
    node: str = Field(
        default="node-1",
        min_length=1,
        max_length=64,
        description="Name of this node; each node of one database has its own.",
    )
    billing_time_zone: str = Field(
        default="UTC", description="Zone in which days and months begin."
    )
    sandbox: bool = Field(default=False, description="Whether to start the sandbox provider too.")

    sandbox_url: str | None = Field(
        default=None, description="Base URL of a sandbox provider that runs already, with its /v1."
    )

    # Secrets
    admin_password: SecretStr | None = Field(
        default=None, description="Password of the user admin, which the first start creates."
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="Key that encrypts provider keys, 32 bytes in base64; else data/master.key.",
    )
    pepper: SecretStr | None = Field(
        default=None,
        description="Key under which API keys are digested, 32 bytes in base64; the same on all "
        "nodes of one database; else data/secrets/pepper.key.",
    )
    signing_key: SecretStr | None = Field(
        default=None,
        description="Key that signs sign-in tokens, 32 bytes in base64; the same on all nodes of "
        "one database; else data/secrets/signing.key.",
    )

    # Callers
    header_bytes_max: int = Field(
        default=64 * 1024, ge=1024, description="Size of a request's head."
    )
    header_timeout_s: float = Field(
        default=15.0, gt=0, description="Time for a request's head to arrive."
    )
    body_bytes_max: int = Field(default=32 * MIB, ge=1024, description="Size of a request's body.")
    body_timeout_s: float = Field(
        default=120.0, gt=0, description="Time for a request's body to arrive."
    )
    inflight_body_bytes_max: int = Field(
        default=256 * MIB, ge=MIB, description="Request bodies that one worker holds at one moment."
    )
    write_stall_timeout_s: float = Field(
        default=60.0, gt=0, description="Time a caller may take nothing of its answer."
    )
    keep_alive_timeout_s: int = Field(
        default=75, ge=1, description="Time an idle caller's connection lives."
    )
    shutdown_grace_s: int = Field(
        default=30, ge=0, description="Time for calls to end at shutdown."
    )
    backlog: int = Field(
        default=2048, ge=1, description="Connections waiting to be accepted per worker."
    )

    # Providers
    total_timeout_s: float = Field(
        default=600.0, gt=0, description="Time for an unstreamed call in all."
    )
    stream_timeout_s: float = Field(default=3600.0, gt=0, description="Time for a stream in all.")
    first_byte_timeout_s: float = Field(
        default=60.0, gt=0, description="Time for a provider to begin a stream."
    )
    stream_idle_timeout_s: float = Field(
        default=120.0, gt=0, description="Time a provider's stream may give nothing."
    )
    drain_timeout_s: float = Field(
        default=30.0, ge=0, description="Time a stream is read on after its caller has left."
    )
    drains_max: int = Field(
        default=100, ge=0, description="Calls read on without a caller, per worker."
    )
    attempts_max: int = Field(default=8, ge=1, description="Attempts of one call.")
    retry_rounds_max: int = Field(
        default=1, ge=0, description="Further rounds over candidates that refused for the moment."
    )
    retry_wait_max_s: float = Field(
        default=5.0, ge=0, description="Longest wait before such a round."
    )
    retry_backoff_s: float = Field(
        default=0.25, ge=0, description="Wait before such a round where the provider asks for none."
    )
    frame_max_bytes: int = Field(default=MIB, ge=1024, description="Size of one frame of a stream.")
    answer_bytes_max: int = Field(
        default=64 * MIB, ge=1024, description="Size of an unstreamed answer."
    )
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="Time to connect to a provider."
    )
    connections_per_origin_max: int = Field(
        default=512, ge=1, description="Connections of one worker to one provider."
    )
    upstream_idle_max_s: float = Field(
        default=15.0, gt=0, description="Idle time of a kept connection."
    )
    upstream_age_max_s: float = Field(default=300.0, gt=0, description="Age of a kept connection.")
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust instead of the system's."
    )
    breaker_failures_max: int = Field(
        default=5, ge=1, description="Failures in a row that open an endpoint's breaker."
    )
    breaker_open_s: float = Field(default=30.0, gt=0, description="Time a breaker stays open.")
    probe_interval_s: float = Field(
        default=0.0,
        ge=0,
        description="Time between two looks, by GET /models, whether endpoints with an open "
        "breaker answer again, a second at least; 0: only calls find that out.",
    )
    provider_key_cooldown_s: float = Field(
        default=60.0,
        gt=0,
        description="Time that one of several keys of an endpoint rests after a rate limit for "
        "which the provider names no time.",
    )
    provider_key_out_s: float = Field(
        default=300.0,
        gt=0,
        description="Time that one of several keys rests after it was refused or had no money "
        "left, if it is not changed before.",
    )

    # What one call may bring, or ask for, beside text
    image_prompt_characters_max: int = Field(
        default=32_000, ge=1, description="Characters of a prompt for images."
    )
    images_max: int = Field(default=10, ge=1, description="Images that one call may ask for.")
    images_given_max: int = Field(default=16, ge=1, description="Images that one call may bring.")
    image_bytes_max: int = Field(default=20 * MIB, ge=1024, description="Size of such an image.")
    image_side_px_max: int = Field(
        default=8192, ge=16, description="Width and height of an image that is asked for."
    )
    speech_characters_max: int = Field(
        default=40_000, ge=1, description="Characters to be spoken in one call."
    )
    audio_bytes_max: int = Field(
        default=25 * MIB, ge=1024, description="Size of a sound to be transcribed."
    )
    rerank_documents_max: int = Field(
        default=1000, ge=1, description="Documents of one call for rerank."
    )
    form_parts_max: int = Field(
        default=64, ge=1, le=1024, description="Fields and files of one form."
    )
    fetch_timeout_s: float = Field(
        default=60.0, gt=0, description="Time to fetch what a provider names by an address."
    )

    # Media jobs
    job_timeout_s: float = Field(
        default=3600.0, gt=0, description="Time for a media job in all, fallback included."
    )
    job_attempt_timeout_s: float = Field(
        default=1800.0, gt=0, description="Time for one provider's work on a media job."
    )
    job_poll_first_s: float = Field(
        default=1.0, gt=0, description="Wait before the second look at a task; it grows from there."
    )
    job_poll_max_s: float = Field(
        default=15.0, gt=0, description="Longest wait between two looks at a task."
    )
    jobs_max: int = Field(default=1000, ge=1, description="Media jobs of one office at once.")
    job_keep_days: float = Field(
        default=30.0, ge=0, description="Time that a finished media job can be asked after."
    )
    job_result_bytes_max: int = Field(
        default=16 * MIB,
        ge=1024,
        description="Size of what a job keeps itself: text, and sounds or pictures that their "
        "provider gives whole and at no address.",
    )
    public_url: str = Field(
        default="",
        description="Address by which the outside reaches this installation. Where it is set, "
        "providers that can are asked to call back when a task is over, and it is looked at at "
        "once.",
    )
    openrouter_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that OpenRouter signs its call-backs with, as chosen in its workspace; "
        "without it they are taken unproven, and only wake the look at a task.",
    )
    generate_wait_s: float = Field(
        default=300.0,
        ge=0,
        description="Time that /api/v1/generate waits for a film before it answers with its job.",
    )
    video_content: Literal["proxy", "redirect"] = Field(
        default="proxy",
        description="Whether a film is passed through, or its caller is sent to where it lies.",
    )
    fetch_private_hosts: str = Field(
        default="",
        description="Hosts, or HOST:PORT, separated by blanks, that may be fetched from and called "
        "back although their addresses are private.",
    )

    # Limits
    reserve_output_tokens: int = Field(
        default=4096,
        ge=1,
        description="Output tokens held, and sent as the cap, where a call names none.",
    )
    reserve_file_tokens: int = Field(
        default=1_050_000,
        ge=0,
        description="Input tokens held, beside its bytes, where a call attaches files: the largest "
        "context window of the models in use, which all files of a call share.",
    )
    unpriced_allowed: bool = Field(
        default=False,
        description="Whether hard limits of money or credits let pass what has no known price.",
    )
    reserve_wait_ms: int = Field(
        default=300, ge=0, description="Time a would-be refusal waits for idle leases to come back."
    )
    reserve_answer_ms: int = Field(
        default=2000,
        ge=0,
        description="Time beyond it that a call waits for the office to say yes or no; then 503.",
    )
    wallet_recall_wait_ms: int = Field(
        default=1000,
        ge=0,
        description="Time that taking from a wallet waits for what workers hold of it unused.",
    )
    lease_target_s: float = Field(
        default=10.0, gt=0, description="Time that one lease should last."
    )
    lease_keep_days: float = Field(
        default=30.0,
        ge=0,
        description="Time that a lease is kept after it has ended and leases nothing any more.",
    )
    snapshot_stale_max_s: float = Field(
        default=900.0, gt=0, description="Time that workers serve on without the office."
    )

    # Spool and drain
    spool_fsync: Literal["always", "interval", "never"] = Field(
        default="interval", description="When the spool is made safe against a power cut."
    )
    spool_fsync_interval_ms: int = Field(
        default=100, ge=1, description="Most that a power cut can lose, with spool_fsync interval."
    )
    spool_segment_mb: int = Field(
        default=64, ge=1, description="Size at which a spool segment is ended."
    )
    spool_reserve_mb: int = Field(
        default=256, ge=0, description="Free disk below which no new call is let in."
    )
    spool_keep_h: float = Field(default=24.0, ge=0, description="Time a drained segment is kept.")
    spool_tidy_s: float = Field(
        default=60.0, gt=0, description="Time between two looks for what can be deleted."
    )
    wallet_tidy_s: float = Field(
        default=5.0,
        gt=0,
        description="Time between two looks for what plans bring into wallets, and what has "
        "expired there and is not written down.",
    )
    drain_batch_records_max: int = Field(
        default=2000, ge=1, description="Spool records in one transaction of the drain."
    )
    drain_interval_ms: int = Field(
        default=50, ge=1, description="Time between two looks at the spool."
    )
    drain_gather_ms: int = Field(
        default=200, ge=1, description="The same while calls come thick and fast."
    )
    evidence_keep_days: int = Field(default=30, ge=0, description="Time that raw evidence is kept.")
    details_keep_months: int = Field(
        default=13,
        ge=1,
        le=1200,
        description="Calendar months that details stay before they move to the archive.",
    )
    details_archive_cron: str = Field(
        default="0 3 * * *",
        description="When they are moved besides at each start: minute, hour, day of month, month "
        "and day of week, in UTC.",
    )
    details_archive_batch_rows: int = Field(
        default=1000, ge=1, le=20_000, description="Calls that move in one transaction."
    )
    content_bytes_max: int = Field(
        default=64 * 1024,
        ge=0,
        le=8 * MIB,
        description="Size up to which a prompt, and likewise an answer, is kept, where a key or "
        "route asks for it.",
    )
    content_keep_days: int = Field(
        default=30, ge=0, description="Time that prompts and answers are kept."
    )
    estimate_bytes_per_token: int = Field(
        default=4,
        ge=1,
        description="Request bytes per input token, where a provider reported nothing.",
    )
    estimate_tokens_per_chunk: int = Field(
        default=1, ge=1, description="Output tokens per chunk, where a provider reported nothing."
    )

    intake_records_max: int = Field(
        default=5000, ge=1, description="Records of one report of another gateway."
    )
    intake_future_max_s: float = Field(
        default=300.0, ge=0, description="How far the clock of another gateway may be ahead."
    )
    intake_spool_mb: int = Field(
        default=1024,
        ge=1,
        description="Spool that waits to come into the books, beyond which no report is taken.",
    )

    export_calls_max: int = Field(
        default=10_000_000, ge=1, description="Calls that one export of the usage log may have."
    )

    log_calls: bool = Field(
        default=True, description="Whether the drain writes a log line per attempt and per call."
    )

    # Database
    sqlite_synchronous: Literal["NORMAL", "FULL"] = Field(
        default="FULL",
        description="How SQLite syncs: FULL keeps each commit through a power cut, NORMAL most.",
    )
    database_connections_max: int = Field(
        default=10, ge=2, description="Connections to PostgreSQL."
    )
    version_poll_ms: int = Field(
        default=250, ge=10, description="Time between two looks whether the database has changed."
    )

    # Tests
    crash_at: str | None = Field(
        default=None,
        description="Named point at which the process kills itself; for crash tests alone.",
    )

    @field_validator("details_archive_cron")
    @classmethod
    def _is_cron(cls, text: str) -> str:
        """Raise ConfigurationError where it is no cron text, with the setting's name."""
        return Schedule(text, ARCHIVE_CRON).cron
