"""What does a [[route]] declare?"""

from tollbridge.configuration.table import TableReader
from tollbridge.core.call import Bucket, Category, OnContentFiltered
from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry

FIELDS = frozenset(
    {
        "model",
        "category",
        "order",
        "candidates",
        "keep_content",
        "hedge_after_ms",
        "bucket",
        "on_content_filtered",
    }
)
CANDIDATE_FIELDS = frozenset({"endpoint", "model", "priority", "weight"})
CATEGORIES = tuple(one.value for one in Category if one is not Category.SEARCH)
"""Search comes by intake only."""
CANDIDATES_MAX = 50
HEDGE_AFTER_MS_MAX = 600_000
PRIORITY_MAX = 1_000_000
WEIGHT_MAX = 1_000_000


def read_route(table: TableReader) -> RouteEntry:
    """Return what one [[route]] declares. A candidate's priority is its place, if not given."""
    table.only(FIELDS)
    model = table.text("model", length_max=MODEL_LENGTH_MAX)
    category = table.choice("category", CATEGORIES, Category.TEXT.value)
    order = table.choice("order", [one.value for one in Order], Order.PRIORITY.value)
    filtered = table.choice(
        "on_content_filtered", [one.value for one in OnContentFiltered], OnContentFiltered.FINAL
    )
    candidates = table.tables("candidates")
    if len(candidates) > CANDIDATES_MAX:
        raise table.error(f"a route has at most {CANDIDATES_MAX} candidates")
    return RouteEntry(
        model=model,
        category=category,
        order=order,
        candidates=tuple(
            _candidate(TableReader(f"{table.where} candidate {place}", values), place, model)
            for place, values in enumerate(candidates, 1)
        ),
        keep_content=table.flag("keep_content", default=False),
        hedge_after_ms=table.whole("hedge_after_ms", 1, HEDGE_AFTER_MS_MAX),
        bucket=_bucket(table),
        on_content_filtered=OnContentFiltered(filtered),
    )


def _bucket(table: TableReader) -> Bucket | None:
    if not table.has("bucket"):
        return None
    return Bucket(table.choice("bucket", [one.value for one in Bucket]))


def _candidate(table: TableReader, place: int, model: str) -> CandidateEntry:
    table.only(CANDIDATE_FIELDS)
    priority = table.whole("priority", 0, PRIORITY_MAX)
    weight = table.whole("weight", 0, WEIGHT_MAX)
    return CandidateEntry(
        endpoint=table.text("endpoint"),
        model=table.text("model", model, MODEL_LENGTH_MAX),
        priority=place if priority is None else priority,
        weight=1 if weight is None else weight,
    )
