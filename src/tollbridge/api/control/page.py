"""How is a long list cut into pages, and how does one find the next?

A cursor says after which row to go on, so that rows which come and go meanwhile shift nothing.
It is opaque: base64 of the row's sort key as JSON.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.deps import Viewer
from tollbridge.core.clock import to_text, to_us
from tollbridge.core.errors import InvalidRequestError, PermissionDeniedError
from tollbridge.core.sight import Sight

LIMIT_MAX = 500
LIMIT_DEFAULT = 50
CURSOR_LENGTH_MAX = 1000
T = TypeVar("T")

LimitField = Annotated[int, Field(ge=1, le=LIMIT_MAX, description="Rows of a page.")]
CursorField = Annotated[
    str | None,
    Field(max_length=CURSOR_LENGTH_MAX, description="`next_cursor` of the page before."),
]
NextCursor = Annotated[str | None, Field(description="Cursor of the next page; null at the end.")]


class Query(BaseModel):
    """Parameters of a list. One that is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PageQuery(Query):
    """Which page."""

    limit: LimitField = LIMIT_DEFAULT
    cursor: CursorField = None


def encode_cursor(place: tuple[str | int, ...]) -> str:
    """Return the cursor of a row's sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, shape: type[T]) -> T:
    """Return the sort key that a cursor stands for. Raises InvalidRequestError."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=shape
        )
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidRequestError(
            "the cursor is not one of this list's", details={"param": "cursor"}
        ) from error


def cut(
    rows: Sequence[T], limit: int, place_of: Callable[[T], tuple[str | int, ...]]
) -> tuple[Sequence[T], str | None]:
    """Return a page of the rows that were read, and the cursor of the next one.

    One row more than `limit` was asked for; it says that there are more. `place_of` gives a row's
    sort key.
    """
    page = rows[:limit]
    return page, encode_cursor(place_of(page[-1])) if len(rows) > limit else None


def instant_us(at: datetime | None) -> int | None:
    """Return an aware instant in microseconds; None stays None."""
    return None if at is None else to_us(at)


def instant_text(at_us: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC; None stays None."""
    return None if at_us is None else to_text(at_us)


class Seen(msgspec.Struct, frozen=True):
    """Whose rows a list shows: of a user, or None for anybody, within what may be seen."""

    user: str | None
    sight: Sight | None


def only_seen(viewer: Viewer, user: str | None) -> Seen:
    """Return whose rows are asked for, as far as `viewer` may see them.

    Of somebody else a manager sees what belongs to their projects. Raises PermissionDeniedError
    where a member asks for somebody else's.
    """
    if viewer.is_admin or viewer.projects:
        return Seen(user, viewer.sight)
    if user not in {None, viewer.user}:
        raise PermissionDeniedError("you may see the calls of your own user only")
    return Seen(viewer.user, None)
