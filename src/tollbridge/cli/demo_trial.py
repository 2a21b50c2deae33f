"""Which experiment does the demo show, and what does each of its arms do? Only names and sizes."""

from typing import Final

from tollbridge.cli.demo_world import DEMO, Client, Door, Work
from tollbridge.core.call import Bucket, Category, Operation
from tollbridge.core.clock import SECOND_US
from tollbridge.routing.experiments import Experiment, ExperimentTerms
from tollbridge.routing.part import Arm, CandidateEntry, RouteEntry, SubjectKind
from tollbridge.routing.trials import TAG, arm_of

DAYS: Final = 10
"""So long it has been running."""
SHARE: Final = 0.12
"""Of all calls since then."""
SUBJECTS: Final = 40
LABEL: Final = f"{DEMO}-assistant"
TERMS: Final = ExperimentTerms(
    name=f"{DEMO}-cheaper-assistant",
    model=LABEL,
    category=Category.TEXT.value,
    arms=(
        Arm("as-now", "openai", "gpt-4o", 1),
        Arm("flash", "google", "gemini-2.5-flash", 1),
    ),
    subject=SubjectKind.USER,
)
ROUTE: Final = RouteEntry(
    model=LABEL,
    category=Category.TEXT.value,
    candidates=tuple(
        CandidateEntry(arm.endpoint, arm.model, place) for place, arm in enumerate(TERMS.arms, 1)
    ),
)
_DOORS: Final = (
    Door("openai", "openai", "openai", "gpt-4o", "gpt-4o-2024-08-06"),
    Door("google", "google", "gemini", "gemini-2.5-flash"),
)
WORKS: Final = tuple(
    Work(
        weight=1,
        operation=Operation.CHAT_COMPLETION,
        bucket=Bucket.OPENAI,
        label=LABEL,
        doors=doors,
        fails_percent=fails_percent,
        latency_ms=latency_ms,
        input_tokens=1300,
        output_tokens=420,
        streams_percent=60,
    )
    for doors, fails_percent, latency_ms in (
        (_DOORS, 2.5, 2400),
        (_DOORS[::-1], 2.0, 1500),
    )
)
"""What the calls of each arm are."""


def experiment_of(experiment_id: str, end_us: int, actor: str) -> Experiment:
    """Return the experiment as it stands at the demo's end."""
    return Experiment(experiment_id, TERMS, end_us - DAYS * 24 * 3600 * SECOND_US, actor)


def asked_by(found: Experiment, number: int) -> tuple[Work, Client, str]:
    """Return what one of its users asks for, who that is, and the label of their arm."""
    user = f"desk-{number + 1:02}"
    place = arm_of(found.trial, user)
    client = Client("assistant", user, "web", 1, (Category.TEXT,))
    return WORKS[place], client, f"{TAG}{TERMS.name}={TERMS.arms[place].name}"
