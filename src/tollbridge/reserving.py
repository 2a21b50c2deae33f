"""What is set aside for a call before it leaves, and what if there is no room for it?

What a call can take at most is worked out for what its limits count, and for nothing else. A limit
on a provider is asked for as long as one of that provider's candidates is planned; where it has no
room those are left out, and the others may serve.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from tollbridge.core.call import CATEGORY_OF, Category
from tollbridge.core.errors import LimitError, UnpricedModelError
from tollbridge.core.limits import Limit, LimitKind
from tollbridge.core.plan import Candidate
from tollbridge.core.usage import Unit
from tollbridge.journey import Call, GatewayLimits
from tollbridge.ledger.amounts import credits_at_most
from tollbridge.ledger.applying import Amounts, Applying
from tollbridge.ledger.reserve import Holds, Purses
from tollbridge.providers.hedge import AT_ONCE_MAX
from tollbridge.providers.request import Request
from tollbridge.rating.ceiling import ATTACHMENT_TOKENS_MAX, BYTES_PER_TOKEN_MIN, ceiling
from tollbridge.rating.made_ceiling import OPERATIONS as MADE
from tollbridge.rating.made_ceiling import Bounds, made_ceiling

Candidates = tuple[Candidate, ...]
Needs = list[tuple[Limit, int]]
Ceiling = Callable[[Candidates], int | None]
"""The most that any of the candidates can cost, in nano-USD; None where nobody knows."""
Took = TypeVar("Took")
_ONE_CALL: Amounts = (0, 0, 0, 0, 1)
_IMAGE = Unit.IMAGE.value
# Looked up once: this is done for every call.
_MONEY, _CREDITS = LimitKind.MONEY, LimitKind.CREDITS
_TOKENS, _IMAGES = LimitKind.TOKENS, LimitKind.IMAGES
_TEXT = Category.TEXT


class Reserves(msgspec.Struct, frozen=True):
    """What is set aside where a request does not say how much it may take."""

    output_tokens: int
    file_tokens: int
    unpriced_allowed: bool = False
    """Whether a hard limit on money or credits lets pass what nobody knows the price of."""


class Wanted(msgspec.Struct, frozen=True):
    """A request, as far as limits look at it."""

    request: Request
    label: str
    applying: Applying
    ceiling: Ceiling
    reserves: Reserves

    def needs(self, candidates: Candidates) -> Needs:
        """Return how much is needed of each limit that holds whoever serves."""
        amounts = self._amounts(candidates, self.applying.needs)
        return [(limit, amounts[place]) for limit, place in self.applying.hard]

    def need_of_provider(self, limit: Limit, place: int, candidates: Candidates) -> int:
        """Return how much is needed of a provider's limit: by its dearest candidate."""
        own = of_provider(candidates, limit.selector.provider)
        return self._amounts(own, frozenset((limit.kind,)))[place]

    def _amounts(self, candidates: Candidates, kinds: frozenset[LimitKind]) -> Amounts:
        """Return what can be taken at most of those kinds; of others nobody asks."""
        if not kinds:
            return _ONE_CALL
        nanousd = self._cost(candidates) if _MONEY in kinds else 0
        if len(kinds) == 1 and nanousd:
            return nanousd, 0, 0, 0, 1
        return (
            nanousd,
            self._credits() if _CREDITS in kinds else 0,
            self._tokens() if _TOKENS in kinds else 0,
            self._images() if _IMAGES in kinds else 0,
            1,
        )

    def _cost(self, candidates: Candidates) -> int:
        amount = self.ceiling(candidates)
        if amount is None:
            if self.reserves.unpriced_allowed:
                return 0
            raise UnpricedModelError(
                f"nothing is known of the price of {self.label!r}, and a money limit applies",
                details={"param": "model"},
            )
        return amount

    def _images(self) -> int:
        return self.request.demand.counts.get(_IMAGE, 1)

    def _tokens(self) -> int:
        request, reserves = self.request, self.reserves
        tokens = -(-len(request.body) // BYTES_PER_TOKEN_MIN)
        tokens += request.attachments * ATTACHMENT_TOKENS_MAX
        if request.has_files:
            tokens += reserves.file_tokens
        if CATEGORY_OF[request.operation] is _TEXT:
            tokens += (request.output_tokens_max or reserves.output_tokens) * request.choices
        return tokens

    def _credits(self) -> int:
        terms = self.applying.credit_terms
        if terms is None:
            if self.reserves.unpriced_allowed:
                return 0
            raise UnpricedModelError(
                f"nobody has said what {self.label!r} takes in credits, and a limit on credits "
                "applies",
                details={"param": "model"},
            )
        return credits_at_most(terms, self._tokens() if terms.tokens else 0, self._images())


async def admit(
    wanted: Wanted, candidates: Candidates, take: Callable[[Needs], Awaitable[Took]]
) -> tuple[Candidates, tuple[str, ...], Took | None]:
    """Set aside what is needed, leaving out each provider whose limit has no room for it.

    Returns the candidates that are left, a line for each that is not, and what was taken (None
    where nothing is needed). Raises the last refusal where no candidate is left.
    """
    skipped: tuple[str, ...] = ()
    while True:
        needs = wanted.needs(candidates)
        asked = [
            placed
            for placed in wanted.applying.by_provider
            if of_provider(candidates, placed[0].selector.provider)
        ]
        full: Limit | None = None
        refusal: LimitError | None = None
        for limit, place in asked:
            try:
                needs.append((limit, wanted.need_of_provider(limit, place, candidates)))
            except UnpricedModelError as error:
                full, refusal = limit, error
                break
        if refusal is None:
            try:
                return candidates, skipped, await take(needs) if needs else None
            except LimitError as error:
                refusal = error
                full = next((limit for limit, _ in asked if _names(error, limit)), None)
        provider = None if full is None else full.selector.provider
        left = tuple([one for one in candidates if one.endpoint.provider != provider])
        if full is None or not left:
            raise refusal
        why = f"left out, as {full.name!r} has no room for {provider}"
        gone = of_provider(candidates, full.selector.provider)
        skipped += tuple([f"{one.endpoint.name}/{one.model}: {why}" for one in gone])
        candidates = left


def of_provider(candidates: Candidates, provider: str) -> Candidates:
    """Return those candidates that are of a provider."""
    return tuple([one for one in candidates if one.endpoint.provider == provider])


def _names(refusal: LimitError, limit: Limit) -> bool:
    """Return whether a refusal is that limit's: names are unique among those of a kind."""
    said = refusal.details
    return said.get("limit") == limit.name and said.get("kind") == limit.kind.value


def mark_credits(holds: Holds, applying: Applying) -> None:
    """Write into what is held of credits how they are counted."""
    for hold in holds.durable:
        if hold.kind is LimitKind.CREDITS:
            # Nobody else has seen it yet.
            msgspec.structs.force_setattr(hold, "credits", applying.credit_terms)


class Reserver:
    """Stage 3 of one worker."""

    def __init__(self, purses: Purses, limits: GatewayLimits) -> None:
        self._purses = purses
        self._limits = limits
        self._reserves = Reserves(
            limits.reserve_output_tokens, limits.reserve_file_tokens, limits.unpriced_allowed
        )

    async def reserve(self, call: Call) -> tuple[Call, Holds | None]:
        """Set aside what a call may take; return it with the candidates that it may ask.

        Raises LimitError where a limit has no room, and UnpricedModelError where a limit on money
        or credits applies to a call of which nobody knows what it takes.
        """
        applying, plan = call.applying, call.plan
        if not applying.binds:
            return call, None

        at_most = self._ceiling_of if plan.hedge_after_s is None else self._ceiling_of_hedge
        wanted = Wanted(call.request, plan.label, applying, partial(at_most, call), self._reserves)
        if not applying.by_provider:
            needs = wanted.needs(plan.candidates)
            holds = self._purses.try_reserve(needs)
            if holds is None:
                holds = await self._wait(call, needs)
        else:

            async def take(needs: Needs) -> Holds:
                return self._purses.try_reserve(needs) or await self._wait(call, needs)

            left, skipped, holds = await admit(wanted, plan.candidates, take)
            if skipped:
                plan = msgspec.structs.replace(plan, candidates=left, skipped=skipped)
                call = msgspec.structs.replace(call, plan=plan)
        if holds is not None and applying.credit_terms is not None:
            mark_credits(holds, applying)
        return call, holds

    def _wait(self, call: Call, needs: Needs) -> Awaitable[Holds]:
        return self._purses.reserve(call.call_id, needs, self._limits.reserve_wait_s)

    def _ceiling_of_hedge(self, call: Call, candidates: Candidates) -> int | None:
        """Return the most that a hedged call can cost: its two dearest candidates.

        None where one of them has no price.
        """
        each: list[int] = []
        for one in candidates:
            amount = self._ceiling_of(call, (one,))
            if amount is None:
                return None
            each.append(amount)
        return sum(sorted(each)[-AT_ONCE_MAX:])

    def _ceiling_of(self, call: Call, candidates: Candidates) -> int | None:
        """Return the most that a call can cost: its dearest candidate; None as above."""
        request = call.request
        output_tokens = request.output_tokens_max or self._limits.reserve_output_tokens
        at_us, size, book = call.inbound.received_at_us, len(request.body), call.conclusions.book
        if request.operation in MADE:
            compute_ms = round(self._limits.total_timeout_s * 1000)
            demand, attachments = request.demand, request.attachments
            bounds = Bounds(request.operation, demand, size, attachments, compute_ms)
            return made_ceiling(candidates, bounds, at_us, book)
        return ceiling(
            candidates,
            size,
            output_tokens if CATEGORY_OF[request.operation] is _TEXT else 0,
            request.choices,
            at_us,
            book,
            attachments=request.attachments,
            file_tokens=self._limits.reserve_file_tokens if request.has_files else 0,
        )
