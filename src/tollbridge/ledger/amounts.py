"""How much does a call count in each limit that it was held to? Pure.

By what its holds say, so that a worker at the call's end and the drain, whenever that is, come to
the same figures. A call counts as one where it was answered (2xx), or where its caller left while
a provider was at work; tokens and money count whatever became of the call.
"""

from collections.abc import Sequence

import msgspec

from tollbridge.core.call import AttemptOutcome, CreditTerms, Hold
from tollbridge.core.evidence import AttemptEvidence, CallEvidence
from tollbridge.core.limits import LimitKind
from tollbridge.core.usage import Unit, Usage
from tollbridge.ledger.credits import taken_by

CALLER_LEFT_STATUS = 499
# Looked up once: this is done for every call.
_MONEY, _CREDITS, _CALLS = LimitKind.MONEY, LimitKind.CREDITS, LimitKind.CALLS
_TOKENS, _IMAGES = LimitKind.TOKENS, LimitKind.IMAGES
_IMAGE = Unit.IMAGE.value
_INPUT, _OUTPUT = Unit.INPUT.value, Unit.OUTPUT.value


class AttemptUse(msgspec.Struct, frozen=True, gc=False):
    """What one attempt used and costs, as far as it is known."""

    evidence: AttemptEvidence
    usage: Usage
    cost_nanousd: int | None = None


def amounts_of(
    holds: Sequence[Hold], call: CallEvidence, uses: Sequence[AttemptUse], charge_nanousd: int
) -> tuple[int, ...]:
    """Return what a call counts in the limit of each hold, in the unit of its kind.

    `charge_nanousd` is what all of the call is charged.
    """
    amounts: list[int] = []
    for hold in holds:
        kind = hold.kind
        if hold.provider:
            amounts.append(_amount_of_provider(hold, call, uses))
        elif kind is _MONEY:
            amounts.append(charge_nanousd)
        elif kind is _TOKENS:
            # Those of who served it, as its row says.
            amounts.append(tokens_of(uses[-1].usage) or 0 if uses else 0)
        else:
            amounts.append(_counted(hold, call, uses) if counts_as_call(call) else 0)
    return tuple(amounts)


def counts_as_call(call: CallEvidence) -> bool:
    """Return whether a call counts as one."""
    closed = call.closed
    if 200 <= closed.http_status < 300:
        return True
    return closed.http_status == CALLER_LEFT_STATUS and any(map(_worked, closed.attempts))


def _amount_of_provider(hold: Hold, call: CallEvidence, uses: Sequence[AttemptUse]) -> int:
    """Return what counts of the attempts of a hold's provider alone: all that it used."""
    uses = [one for one in uses if one.evidence.provider == hold.provider]
    if hold.kind is _TOKENS:
        return sum([tokens_of(one.usage) or 0 for one in uses])
    if hold.kind is _MONEY:
        return sum([one.cost_nanousd or 0 for one in uses])
    return _counted(hold, call, uses) if any(_worked(one.evidence) for one in uses) else 0


def _counted(hold: Hold, call: CallEvidence, uses: Sequence[AttemptUse]) -> int:
    """Return what a call that counts as one counts, in other units than money and tokens."""
    kind = hold.kind
    if kind is _CALLS:
        report = call.opened.report
        return 1 if report is None else report.request_count
    if kind is _CREDITS:
        return _credits(hold.credits, call, uses) if hold.credits else 0
    return _images_made(call, uses) if kind is _IMAGES else 1


def _credits(terms: CreditTerms, call: CallEvidence, uses: Sequence[AttemptUse]) -> int:
    asked = images_asked(call)
    failed = asked - _images_made(call, uses) if terms.image else 0
    # Where nobody knows the tokens, the least that such a call takes.
    tokens = tokens_of(uses[-1].usage) if uses else None
    return taken_by(terms, tokens or 0, max(0, asked - failed))


def credits_at_most(terms: CreditTerms, tokens_max: int, images: int) -> int:
    """Return the most micro-credits that a call takes by its terms."""
    return taken_by(terms, tokens_max, images)


def tokens_of(usage: Usage) -> int | None:
    """Return the tokens of a usage, None where none are known."""
    counts = usage.counts
    if _INPUT not in counts and _OUTPUT not in counts:
        return None
    return counts.get(_INPUT, 0) + counts.get(_OUTPUT, 0)


def images_asked(call: CallEvidence) -> int:
    """Return how many images a call asks for: one where it does not say."""
    return call.opened.demand.counts.get(_IMAGE, 1)


def _images_made(call: CallEvidence, uses: Sequence[AttemptUse]) -> int:
    made = [one.usage.counts[_IMAGE] for one in uses if _IMAGE in one.usage.counts]
    return sum(made) if made else images_asked(call)


def _worked(attempt: AttemptEvidence) -> bool:
    return attempt.written and attempt.outcome is not AttemptOutcome.FAILED
