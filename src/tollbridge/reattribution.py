"""Who served the calls in the books, by rules of today or of another day?

The stages that re-attribution takes: attribution says who served, recording changes what the
books say, the ledger notes whom the cost is owed to.
"""

from datetime import tzinfo

import msgspec

from tollbridge.attribution.attribute import (
    ASKED,
    NO_ATTEMPT,
    REPORTED,
    attribute,
    attribute_attempt,
)
from tollbridge.attribution.ruling import Resolve, Rules
from tollbridge.attribution.version_store import find_rules, keep_rules
from tollbridge.core.account import Attribution
from tollbridge.core.attribution import Evidence, EvidenceSource
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.ledger.adjust import ZonedLedger
from tollbridge.recording.reassign import Kept, KeptReport, Said
from tollbridge.recording.reattribute import Tools
from tollbridge.recording.rollups import Days
from tollbridge.storage.unit import Database

BUCKET_WORDS = ("the bucket is", "nothing but the bucket")
"""How evidence begins that is the bucket."""


class Detector:
    """Attributes calls in the books by one set of rules: recording's `AttributeAgain`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.version = rules.version
        self.aggregators = frozenset(rules.reveals)

    def __call__(self, said: Said, kept: Kept | None) -> Attribution:
        """Return who served; what was seen, and is purged by now, is never overruled by less."""
        if said.evidence == NO_ATTEMPT.evidence:
            return NO_ATTEMPT
        if isinstance(kept, AttemptEvidence):
            return attribute_attempt(kept, self._rules)
        found = attribute(_evidence(said, kept), self._rules)
        if kept is None and said.upstream and found.provider == said.provider:
            return msgspec.structs.replace(found, upstream_provider=said.upstream)
        return found


async def make_detector(database: Database, version: str | None, resolve: Resolve) -> Detector:
    """Return the rules of a version, made ready; None is those in force.

    `resolve` knows providers by the names that others give them. Raises NotFoundError.
    """
    async with database.read() as unit:
        return Detector(Rules(await find_rules(unit, version), resolve))


async def keep(database: Database, version: str | None) -> None:
    """Keep the rules of a version, so that it can be asked for when others are in force."""
    async with database.write() as unit:
        await keep_rules(unit, await find_rules(unit, version))


def make_tools(detector: Detector, zone: tzinfo) -> Tools:
    """Return what `recording.reattribute` is handed; `zone` is the billing time zone."""
    return Tools(detector, ZonedLedger(zone), Days(zone))


def _evidence(said: Said, kept: KeptReport | None) -> Evidence:
    """Return what a row still says of who served, with what is kept besides."""
    if said.endpoint is not None and not said.is_report:
        asked = said.rule == ASKED
        return Evidence(
            model=said.model,
            served_model=said.served_model,
            endpoint=said.endpoint,
            endpoint_provider=said.provider,
            http_status=None if asked else said.http_status,
            error=said.error_class if asked else None,
        )
    if kept is not None:
        bucket, reported = said.bucket if kept.bucket_reported else None, kept.provider
    else:
        # Was the bucket named by the reporter, or is it our own conclusion from the operation?
        # Only the reason that was written down tells.
        named = said.endpoint is None or said.evidence.startswith(BUCKET_WORDS)
        bucket = said.bucket if named else None
        reported = said.provider if said.rule == REPORTED else None
    return Evidence(
        bucket=bucket,
        model=said.model,
        path=said.path,
        reported_provider=reported,
        source=EvidenceSource(said.dialect if said.is_report else EvidenceSource.IMPORT),
    )
