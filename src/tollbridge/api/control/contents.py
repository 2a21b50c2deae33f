"""What was asked and answered, where a key or route wants it kept?"""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.content import ContentKind, ContentPart
from tollbridge.core.errors import NotFoundError
from tollbridge.insight.content_queries import find_content

router = APIRouter(prefix="/usage-logs", tags=["usage"])


class Side(BaseModel):
    """One side of a call."""

    body: str
    body_bytes: int = Field(description="What there was.")
    truncated: bool = Field(description="Whether `body` is only the beginning of it.")


class CallContents(BaseModel):
    """Both sides of one call, as far as they are kept."""

    call_id: str
    at: str = Field(description="The call's end.")
    prompt: Side | None = Field(description="The request's body, as it was sent.")
    answer: Side | None = Field(description="What the caller got; of a stream its text.")


@router.get("/{call_id}/content")
async def show(call_id: str, viewer: ViewerOf, control: ControlOf) -> CallContents:
    """Show a call's prompt and answer: to admins, and to the user whose key made it.

    404 where nothing is kept: its key and route did not ask for that, or it was long ago.
    """
    async with control.services.database.read() as unit:
        found = await find_content(unit, call_id, viewer.sight)
    if found is None:
        raise NotFoundError(f"nothing is kept of what a call {call_id!r} asked and was answered")
    return CallContents(
        call_id=found.call_id,
        at=to_text(found.at_us),
        prompt=_side(found.parts.get(ContentKind.PROMPT)),
        answer=_side(found.parts.get(ContentKind.ANSWER)),
    )


def _side(part: ContentPart | None) -> Side | None:
    if part is None:
        return None
    return Side(body=part.body, body_bytes=part.body_bytes, truncated=part.truncated)
