"""Who served an attempt, by which rule, and how sure are we?

For live calls the door tells: we know which endpoint we asked and whether it answered.
"""

from tollbridge.core.account import Attribution, Confidence
from tollbridge.core.evidence import AttemptEvidence

UNKNOWN = Attribution(
    provider="unknown",
    rule_id="none",
    confidence=Confidence.NONE,
    evidence="no attempt was made",
)


def attribute(attempt: AttemptEvidence | None) -> Attribution:
    """Return who served one attempt; None, for a call without attempts, is `unknown`.

    An endpoint that answered, with whatever status, was observed; one that was asked and did not
    answer is assumed.
    """
    if attempt is None:
        return UNKNOWN
    if attempt.http_status is not None:
        return Attribution(
            attempt.provider,
            "endpoint-answered",
            Confidence.OBSERVED,
            f"{attempt.endpoint} answered {attempt.http_status}",
        )
    why = f": {attempt.error_class}" if attempt.error_class is not None else ""
    return Attribution(
        attempt.provider,
        "endpoint-asked",
        Confidence.ASSUMED,
        f"{attempt.endpoint} was asked and did not answer{why}",
    )
