"""No call for media costs more than was held for it, whatever is known of it beforehand."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.media import NOVEMBER_US, seed_book
from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.providers.names import load_names
from tollbridge.rating.made_ceiling import Bounds, made_ceiling
from tollbridge.rating.rate import rate
from tollbridge.rating.sources.media import seed_with_media

UNITS = {
    "image": Operation.IMAGE_GENERATION,
    "video_ms": Operation.VIDEO_GENERATION,
    "character": Operation.AUDIO_SPEECH,
    "audio_ms": Operation.AUDIO_TRANSCRIPTION,
    "search": Operation.RERANK,
}
PRICES = [price for price in seed_with_media(load_names().resolve) if price.unit in UNITS]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PRICES), st.integers(1, 10_000), st.data())
def test_no_call_for_media_costs_more_than_its_ceiling(
    price: Any, count: int, data: st.DataObject
) -> None:
    conditions = {key: value for key, value in price.conditions.items() if key != "hours"}
    known = {key: value for key, value in conditions.items() if data.draw(st.booleans())}
    counts = {price.unit: count}
    candidate = Candidate(
        Endpoint(price.provider, price.provider, "openai", "http://127.0.0.1"), price.model, "1"
    )
    bounds = Bounds(UNITS[price.unit], Demand(counts, known), 0, 0)
    ceiling = made_ceiling([candidate], bounds, NOVEMBER_US, seed_book())
    usage = Usage(counts, UsageSource.REPORTED, facts=conditions)
    rated = rate(usage, price.provider, (price.model,), NOVEMBER_US, seed_book())
    if rated.cost_nanousd is not None:
        assert ceiling is not None
        assert rated.cost_nanousd <= ceiling
