"""How does the usage log leave whole, for a spreadsheet or for another system?"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from fastapi.responses import StreamingResponse
from pydantic import Field

from tollbridge.api.control.log_filter import CallFilterQuery, filter_of
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.insight.export import (
    FILE_NAMES,
    MEDIA_TYPES,
    Export,
    ExportForm,
    bounded,
    check_form,
    check_size,
    export,
)
from tollbridge.insight.export_focus_rules import COLUMNS as FOCUS_COLUMNS
from tollbridge.insight.export_focus_rules import CREDIT_COLUMNS, VERSION
from tollbridge.insight.export_lines import COLUMNS

router = APIRouter(prefix="/usage-logs", tags=["usage"])


def _listed(columns: Mapping[str, str]) -> str:
    return "\n".join(f"- `{name}`: {description}" for name, description in columns.items())


DESCRIPTION = f"""
Give all calls that a filter lets by, the newest first; whoever is no admin gets those of their
user. What ends after the export has begun is not in it.

The answer is streamed. An export that breaks off, without the end of its last chunk, is not whole.

`format=csv` and `format=jsonl` have the columns

{_listed({name: column.description for name, column in COLUMNS.items()})}

`format=parquet` has the same columns: instants as timestamps in UTC, money as decimals of nine
places, `tags` and `flags` as lists, `usage` as a map. It needs the extra `parquet`, and answers 400
without it. A file that broke off has no end, which whatever reads it says.

CSV is UTF-8 with its mark; what is not known is empty, and a text that a spreadsheet would take
for a formula begins with an apostrophe. In JSON what is not known is null, and an object is a line.

`format=focus` is CSV of FOCUS {VERSION} cost and usage rows: one for each line of the bill of each
attempt, for its rounding to whole nano-USD, and for each correction. Their costs sum up to
`cost_now_usd`. A call without a known price has no row there; `unpriced=true` lists them.

{_listed({name: rule.description for name, rule in FOCUS_COLUMNS.items()})}

`format=focus_credits` is CSV of FOCUS {VERSION} rows of wallets in credits, which are a virtual
currency there: purchases, presents, what calls took, refunds, expiries and corrections. `user`,
`from` and `to` choose among them. A purchase is billed at once, and is an effective cost when its
credits are used up. What was bought at a price that nobody knows has no row.

{_listed({name: rule.description for name, rule in CREDIT_COLUMNS.items()})}
""".strip()
ANSWERS: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "The export.",
        "content": {
            media_type: {"schema": {"type": "string"}}
            for media_type in ("text/csv", "application/jsonl", "application/vnd.apache.parquet")
        },
    }
}


class ExportQuery(CallFilterQuery):
    """Which calls, and as what."""

    format: ExportForm = Field(
        default=ExportForm.CSV, description="csv, jsonl, parquet, focus or focus_credits."
    )


@router.get(
    "/export", description=DESCRIPTION, response_class=StreamingResponse, responses=dict(ANSWERS)
)
async def export_log(
    query: Annotated[ExportQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> StreamingResponse:
    """Give all calls that a filter lets by."""
    check_form(query.format)
    services = control.services
    async with services.database.read() as unit:
        wanted = await filter_of(unit, query, viewer, control)
        order = Export(
            form=query.format,
            wanted=bounded(wanted, await unit.now_us()),
            zone=services.billing_zone,
            names=control.provider_names,
            rows_max=services.export_calls_max,
        )
        await check_size(unit, order)
    name = FILE_NAMES[query.format]
    return StreamingResponse(
        export(services.database, order),
        media_type=MEDIA_TYPES[query.format],
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
    )
