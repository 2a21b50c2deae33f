"""Which API keys are there, and how does one get or lose one?"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.access import store
from tollbridge.access.keys import NAME_LENGTH_MAX, KeyRow, KeyTerms, Minted, Scope
from tollbridge.access.own_keys import require_mintable, require_own_scopes
from tollbridge.access.user_store import lock_user
from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import (
    AdminOf,
    Control,
    ControlOf,
    ManagerOf,
    SignedInOf,
    Viewer,
    ViewerOf,
    actor_of,
)
from tollbridge.core.clock import to_text, to_us
from tollbridge.core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from tollbridge.core.sight import covers
from tollbridge.insight.key_queries import key_name_of, last_calls, list_keys, own_keys
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/keys", tags=["keys"])
COUNT_MAX = 1_000_000_000

Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]


class Key(BaseModel):
    """An API key; its text is shown once, when it is minted."""

    key_id: str
    name: str
    last4: str = Field(description="The last four characters of its text.")
    user: str
    project: str
    scopes: list[str] = Field(description="call (data plane), read, intake, admin.")
    source: str = Field(description="file: the configuration file alone changes it; or minted.")
    calls_per_minute: int | None
    concurrent_calls: int | None
    keep_content: bool = Field(description="Whether prompts and answers of its calls are kept.")
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(
        description="When its last call ended that is in the books; null: it made none."
    )


class MintedKey(Key):
    """A new API key with its text."""

    key: str = Field(description="Shown this once; kept only as a digest.")


class KeysQuery(PageQuery):
    """Which keys."""

    user: Name | None = None


class KeyPage(BaseModel):
    """A page of keys, by name."""

    keys: list[Key]
    next_cursor: NextCursor


class KeyOrder(BaseModel):
    """What a new key is for."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    user: Name | None = Field(
        default=None, description="The key's name, where not given; of a member themselves."
    )
    project: Name = "default"
    scopes: list[Scope] = Field(default=[Scope.CALL], min_length=1, max_length=4)
    expires_at: AwareDatetime | None = None
    calls_per_minute: Count | None = None
    concurrent_calls: Count | None = None
    keep_content: bool = Field(
        default=False, description="Whether prompts and answers of its calls are kept, for a time."
    )


class KeyChange(BaseModel):
    """What may be changed of a key."""

    model_config = ConfigDict(extra="forbid")

    keep_content: bool = Field(
        description="Whether prompts and answers of its calls are kept from now on."
    )


@router.get("")
async def list_page(
    query: Annotated[KeysQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> KeyPage:
    """List keys by name; a member sees their own, a manager those of their projects besides."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    async with control.services.database.read() as unit:
        rows = await list_keys(unit, viewer.sight, after, query.limit + 1, query.user)
        page, following = cut(rows, query.limit, lambda row: (row.terms.name,))
        used = await last_calls(unit, [row.key_id for row in page])
    keys = [Key(**_fields(row, used.get(row.key_id))) for row in page]
    return KeyPage(keys=keys, next_cursor=following)


@router.post("", status_code=201)
async def mint(order: KeyOrder, viewer: SignedInOf, control: ControlOf) -> MintedKey:
    """Mint a key. Its text is in this answer and nowhere else.

    A manager mints keys of their projects: to make calls, and to read what is their own. A member
    mints keys of their own where the setting members_may_mint_keys says so, which may do no more
    than those that they were given.
    """
    expires_at_us = None if order.expires_at is None else to_us(order.expires_at)
    if expires_at_us is not None and expires_at_us <= control.services.clock.now_us():
        raise InvalidRequestError("expires_at is past", details={"param": "expires_at"})
    terms = KeyTerms(
        name=order.name,
        user=order.user or _user_of_new(order, viewer),
        project=order.project,
        scopes=tuple(dict.fromkeys(scope.value for scope in order.scopes)),
        expires_at_us=expires_at_us,
        calls_per_minute=order.calls_per_minute,
        concurrent_calls=order.concurrent_calls,
        keep_content=order.keep_content,
    )
    async with control.services.database.write() as unit:
        await _require_mintable(unit, terms, viewer, control)
        minted = await store.create_key(unit, terms, control.services.pepper)
        await audit.record_change(
            unit,
            actor_of(viewer),
            "keys.create",
            f"key:{order.name}",
            before=None,
            after=_state(minted.row),
        )
    return _minted(minted, None)


@router.patch("/{key_id}")
async def change(key_id: str, wanted: KeyChange, viewer: ManagerOf, control: ControlOf) -> Key:
    """Change a key, on all workers within a second. Who did it is written down."""
    async with control.services.database.write() as unit:
        before = await _managed(unit, key_id, viewer)
        name = before.terms.name
        used = await last_calls(unit, [key_id])
        after = await store.keep_content_of_key(unit, name, keep=wanted.keep_content)
        await _record(unit, viewer, "keys.change", before, after)
    return Key(**_fields(after, used.get(after.key_id)))


@router.delete("/{key_id}")
async def revoke(key_id: str, viewer: SignedInOf, control: ControlOf) -> Key:
    """Revoke a key for good, on all workers within a second. Again changes nothing.

    Whoever is no admin may do so with their own, and with those of projects that they manage.
    """
    async with control.services.database.write() as unit:
        before = await _managed(unit, key_id, viewer, or_own=True)
        used = await last_calls(unit, [key_id])
        after = await store.revoke_key(unit, before.terms.name)
        await _record(unit, viewer, "keys.revoke", before, after)
    return Key(**_fields(after, used.get(after.key_id)))


@router.post("/{key_id}/rotate")
async def rotate(key_id: str, viewer: SignedInOf, control: ControlOf) -> MintedKey:
    """Give a key another text, in this answer and nowhere else; the old one ends within a second.

    Whoever is no admin may do so with their own that call and read at most, and a manager with
    those that they could mint. 409 for one that was revoked, or that the file declares.
    """
    async with control.services.database.write() as unit:
        before = await _managed(unit, key_id, viewer, or_own=True)
        _require_no_wider(viewer, before.terms)
        used = await last_calls(unit, [key_id])
        minted = await store.rotate_key(unit, before.terms.name, control.services.pepper)
        # Two texts may end in the same four characters: that it was done is told all the same.
        details = {"last4": {"from": before.last4, "to": minted.row.last4}}
        subject = f"key:{before.terms.name}"
        await audit.record(unit, actor_of(viewer), "keys.rotate", subject, details)
    return _minted(minted, used.get(minted.row.key_id))


@router.post("/{key_id}/detach")
async def detach(key_id: str, admin: AdminOf, control: ControlOf) -> Key:
    """Take a key from the configuration file's hands: from now on it is changed here."""
    async with control.services.database.write() as unit:
        name = (await _managed(unit, key_id, admin)).terms.name
        used = await last_calls(unit, [key_id])
        row = await store.detach_key(unit, name)
        await audit.record(unit, actor_of(admin), "keys.detach", f"key:{name}")
    return Key(**_fields(row, used.get(row.key_id)))


def _user_of_new(order: KeyOrder, viewer: Viewer) -> str:
    """Return whose a new key is where the order does not say."""
    return order.name if viewer.may_change(order.project) else viewer.user


async def _require_mintable(unit: Unit, terms: KeyTerms, viewer: Viewer, control: Control) -> None:
    """Raise PermissionDeniedError for a key that could do more than whoever mints it."""
    if viewer.may_change(terms.project):
        _require_no_wider(viewer, terms)
        return
    if terms.user != viewer.user:
        viewer.require_project(terms.project)
    # Locked, so that of two at once the second sees the key of the first.
    await lock_user(unit, viewer.user)
    services = control.services
    own = await own_keys(unit, viewer.user, services.clock.now_us())
    require_mintable(terms, own, services.member_keys)


def _require_no_wider(viewer: Viewer, terms: KeyTerms) -> None:
    """Raise PermissionDeniedError for a key's text that could do more than whoever gets it."""
    if viewer.is_admin:
        return
    if terms.user == viewer.user:
        require_own_scopes(terms.scopes)
    elif set(terms.scopes) != {Scope.CALL.value}:
        raise PermissionDeniedError(
            "a manager makes keys with the scope call, and with read for their own user"
        )


async def _managed(unit: Unit, key_id: str, viewer: Viewer, *, or_own: bool = False) -> KeyRow:
    """Return a key that `viewer` may change: of their projects, or with `or_own` theirs too.

    Raises NotFoundError, PermissionDeniedError.
    """
    name = await key_name_of(unit, key_id)
    row = None if name is None else await store.get_key(unit, name)
    if row is None or not covers(viewer.sight, row.terms.user, row.terms.project):
        raise NotFoundError(f"there is no key with the id {key_id!r}")
    if not (or_own and row.terms.user == viewer.user):
        viewer.require_project(row.terms.project)
    return row


def _minted(minted: Minted, used_us: int | None) -> MintedKey:
    return MintedKey(**_fields(minted.row, used_us), key=minted.key)


async def _record(unit: Unit, viewer: Viewer, action: str, before: KeyRow, after: KeyRow) -> None:
    await audit.record_change(
        unit,
        actor_of(viewer),
        action,
        f"key:{after.terms.name}",
        before=_state(before),
        after=_state(after),
    )


def _state(row: KeyRow) -> dict[str, Any]:
    """Return what the audit log says of a key."""
    left_out = {"key_id", "last_used_at"}
    terms = {name: value for name, value in _fields(row, None).items() if name not in left_out}
    return {**terms, "revoked": row.revoked_at_us is not None}


def _fields(row: KeyRow, used_us: int | None) -> dict[str, Any]:
    return {
        "key_id": row.key_id,
        "name": row.terms.name,
        "last4": row.last4,
        "user": row.terms.user,
        "project": row.terms.project,
        "scopes": list(row.terms.scopes),
        "source": row.source,
        "calls_per_minute": row.terms.calls_per_minute,
        "concurrent_calls": row.terms.concurrent_calls,
        "keep_content": row.terms.keep_content,
        "created_at": to_text(row.created_at_us),
        "expires_at": instant_text(row.terms.expires_at_us),
        "revoked_at": instant_text(row.revoked_at_us),
        "last_used_at": instant_text(used_us),
    }
