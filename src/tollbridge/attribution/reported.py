"""What does a report of somebody else say of who served?"""

from functools import lru_cache

from tollbridge.attribution.attribute import attribute
from tollbridge.attribution.ruling import Rules
from tollbridge.core.account import Attribution
from tollbridge.core.attribution import Evidence, EvidenceSource
from tollbridge.core.report import Report

REMEMBERED_MAX = 4096


def attribute_report(report: Report, via: str, rules: Rules) -> Attribution:
    """Return who served by what a report says; `via` is one of `core.report.Via`.

    A bucket that the reporter did not name is our own conclusion, and no evidence.
    """
    bucket = report.bucket.value if report.bucket_reported else None
    return _attributed(rules, via, bucket, report.model, report.path, report.provider)


def evidence_of_report(report: Report, via: str) -> Evidence:
    """Return the evidence that `attribute_report` goes by."""
    bucket = report.bucket.value if report.bucket_reported else None
    return _evidence(via, bucket, report.model, report.path, report.provider)


# Of thousands of reports a second few differ in what they say of it.
@lru_cache(REMEMBERED_MAX)
def _attributed(
    rules: Rules,
    via: str,
    bucket: str | None,
    model: str,
    path: str | None,
    provider: str | None,
) -> Attribution:
    return attribute(_evidence(via, bucket, model, path, provider), rules)


def _evidence(
    via: str, bucket: str | None, model: str, path: str | None, provider: str | None
) -> Evidence:
    return Evidence(
        bucket=bucket,
        model=model,
        path=path,
        reported_provider=provider,
        source=EvidenceSource(via),
    )
