"""What can a call cost at most that has something made: pictures, films, sounds, scores?

The hold of such a call under a hard limit: its dearest candidate, by what is asked for. What of
the facts is not said is taken as the dearest would have it. Text is bounded in `ceiling`.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.money import NANO
from tollbridge.core.plan import Candidate
from tollbridge.core.usage import Unit
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ATTACHMENT_TOKENS_MAX, BYTES_PER_TOKEN_MIN
from tollbridge.rating.conditions import Condition
from tollbridge.rating.prices import COST_USD_MAX
from tollbridge.rating.tariff import Tariff

# Where a tariff knows tokens alone, and what is asked for is not counted in them.
IMAGE_TOKENS_MAX = 16_384
"""One picture: OpenAI's largest in high quality takes 6,240, Gemini's of 4K 2,520."""
SPEECH_TOKENS_PER_CHARACTER_MAX = 8
"""Of sound: OpenAI's makes about 21 a second, and slow speech 3 characters a second."""
SPEECH_MS_PER_CHARACTER_MAX = 400
HEARD_TOKENS_PER_S_MAX = 50
"""Of sound that is listened to: Gemini counts 32, OpenAI 10."""
SAID_TOKENS_PER_S_MAX = 10
"""Of a transcript: nobody speaks more."""
SOUND_BYTES_PER_S_MIN = 500
"""Of a sound whose length its headers do not say: no codec of speech takes less in practice."""
IMAGE_PIXELS_MAX = 4096 * 4096
FRAMES_PER_S_MAX = 60
FILM_PIXELS_MAX = 3840 * 2160
COMPUTE_MS_MAX = 600_000
"""Of one attempt whose time-out is not said: the default of the setting total_timeout_s."""
FILM_MS_MAX = 60_000
"""Of a film whose length nobody has said."""
ZERO = Decimal(0)

OPERATIONS = frozenset(
    {
        Operation.IMAGE_GENERATION,
        Operation.IMAGE_EDIT,
        Operation.VIDEO_GENERATION,
        Operation.AUDIO_SPEECH,
        Operation.AUDIO_TRANSCRIPTION,
        Operation.RERANK,
    }
)
"""What is bounded here rather than by tokens."""


class Bounds(msgspec.Struct, frozen=True):
    """What is known of one call, as far as it bounds the cost."""

    operation: Operation
    demand: Demand
    request_bytes: int
    attachments: int
    """Pictures of the input."""
    compute_ms_max: int = COMPUTE_MS_MAX
    """How long a provider may work on it before it is given up, where that is what is billed."""

    def count(self, unit: Unit, otherwise: int = 0) -> int:
        """Return how much of a unit is asked for, at most."""
        return self.demand.counts.get(unit.value, otherwise)


def made_ceiling(
    candidates: Iterable[Candidate], bounds: Bounds, at_us: int, book: PriceBook
) -> int | None:
    """Return the most that any of the candidates can cost, in nano-USD, rounded up.

    None where a candidate has no price for what is asked, or there is no candidate.
    """
    dearest: Decimal | None = None
    for candidate in candidates:
        tariff = book.find(candidate.endpoint.provider, candidate.model, at_us)
        cost = None if tariff is None else _BOUND_OF[bounds.operation](_Rates(tariff, bounds))
        if tariff is None or cost is None:
            return None
        cost += tariff.request_usd
        if dearest is None or cost > dearest:
            dearest = cost
    if dearest is None:
        return None
    return int((min(dearest, COST_USD_MAX) * NANO).to_integral_value(ROUND_CEILING))


class _Rates:
    """The dearest prices of one tariff that a call may meet."""

    def __init__(self, tariff: Tariff, bounds: Bounds) -> None:
        self._tariff = tariff
        self.bounds = bounds
        self._facts = bounds.demand.facts

    def each(self, *units: Unit) -> Decimal | None:
        """Return the dearest price of one of these units, None where none has any."""
        found = [
            option.price.usd_each
            for unit in units
            for option in self._tariff.options.get(unit.value, ())
            if _may_hold(option.condition, self._facts)
        ]
        return max(found, default=None)

    def by_call(self) -> Decimal | None:
        """Return what is billed whatever is made, None where that has no price either.

        By compute time that is the attempt's whole time-out: it is not known how long the work
        takes, and after that it is cancelled. The call's own price is added to all.
        """
        cost = _times(self.each(Unit.COMPUTE_MS), self.bounds.compute_ms_max)
        if cost is None and self.each(Unit.REQUEST) is not None:
            return ZERO
        return cost

    def prompt(self) -> Decimal:
        """Return what the input can cost, nothing where input has no price."""
        bounds, each = self.bounds, self._tariff.input_usd_max
        if each is None:
            return ZERO
        tokens = -(-bounds.request_bytes // BYTES_PER_TOKEN_MIN)
        if bounds.attachments:
            # Most of the bytes are pictures, which bill by what they show.
            tokens = min(tokens, PROMPT_TOKENS_MAX) + bounds.attachments * ATTACHMENT_TOKENS_MAX
        return each * tokens


PROMPT_TOKENS_MAX = 64_000
"""The words beside pictures: no more are taken."""


def _may_hold(condition: Condition, facts: Mapping[str, str]) -> bool:
    return all(facts.get(key, value) == value for key, value in condition.facts)


def _pictures(rates: _Rates) -> Decimal | None:
    bounds = rates.bounds
    count = bounds.count(Unit.IMAGE, 1)
    each = rates.each(Unit.IMAGE)
    if each is None and (pixel := rates.each(Unit.PIXEL)) is not None:
        each = pixel * _pixels(bounds.demand.facts.get("size"), IMAGE_PIXELS_MAX)
    if each is None and (token := rates.each(Unit.IMAGE_OUTPUT, Unit.OUTPUT)) is not None:
        each = token * IMAGE_TOKENS_MAX
    return rates.by_call() if each is None else each * count + rates.prompt()


def _films(rates: _Rates) -> Decimal | None:
    bounds = rates.bounds
    length_ms = bounds.count(Unit.VIDEO_MS, FILM_MS_MAX)
    cost = _times(rates.each(Unit.VIDEO_MS), length_ms)
    if cost is None:
        cost = _times(rates.each(Unit.VIDEO), bounds.count(Unit.VIDEO, 1))
    if cost is None:
        pixels = _pixels(bounds.demand.facts.get("size"), FILM_PIXELS_MAX)
        frames = length_ms * FRAMES_PER_S_MAX // 1000
        cost = _times(rates.each(Unit.PIXEL_FRAME), pixels * frames)
    return rates.by_call() if cost is None else cost + rates.prompt()


def _speech(rates: _Rates) -> Decimal | None:
    characters = rates.bounds.count(Unit.CHARACTER, rates.bounds.request_bytes)
    cost = _times(rates.each(Unit.CHARACTER), characters)
    if cost is not None:
        return cost
    token = rates.each(Unit.AUDIO_OUTPUT, Unit.OUTPUT)
    cost = _times(token, characters * SPEECH_TOKENS_PER_CHARACTER_MAX)
    if cost is not None:
        return cost + rates.prompt()
    cost = _times(rates.each(Unit.AUDIO_MS), characters * SPEECH_MS_PER_CHARACTER_MAX)
    return rates.by_call() if cost is None else cost


def _transcripts(rates: _Rates) -> Decimal | None:
    bounds = rates.bounds
    longest_ms = bounds.request_bytes * 1000 // SOUND_BYTES_PER_S_MIN
    length_ms = bounds.count(Unit.AUDIO_MS, longest_ms)
    cost = _times(rates.each(Unit.AUDIO_MS), length_ms)
    if cost is not None:
        return cost
    seconds = -(-length_ms // 1000)
    heard = rates.each(Unit.AUDIO_INPUT, Unit.INPUT)
    said = rates.each(Unit.OUTPUT)
    if heard is None or said is None:
        return rates.by_call()
    tokens = seconds * HEARD_TOKENS_PER_S_MAX + min(bounds.request_bytes, PROMPT_TOKENS_MAX)
    return heard * tokens + said * seconds * SAID_TOKENS_PER_S_MAX


def _scores(rates: _Rates) -> Decimal | None:
    bounds = rates.bounds
    cost = _times(rates.each(Unit.SEARCH), bounds.count(Unit.SEARCH, 1))
    if cost is None:
        cost = _times(rates.each(Unit.INPUT), bounds.count(Unit.INPUT, bounds.request_bytes))
    return rates.by_call() if cost is None else cost


def _times(each: Decimal | None, count: int) -> Decimal | None:
    return None if each is None else each * count


def _pixels(size: str | None, otherwise: int) -> int:
    width, _, height = (size or "").partition("x")
    return int(width) * int(height) if width.isdecimal() and height.isdecimal() else otherwise


_BOUND_OF: Mapping[Operation, Callable[[_Rates], Decimal | None]] = MappingProxyType(
    {
        Operation.IMAGE_GENERATION: _pictures,
        Operation.IMAGE_EDIT: _pictures,
        Operation.VIDEO_GENERATION: _films,
        Operation.AUDIO_SPEECH: _speech,
        Operation.AUDIO_TRANSCRIPTION: _transcripts,
        Operation.RERANK: _scores,
    }
)
