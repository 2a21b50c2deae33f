"""Does somebody come in whom the provider knows, and nobody else?"""

from collections.abc import AsyncIterator
from datetime import UTC
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
from joserfc.jwk import RSAKey

from tests.support.control import PEPPER, Plane, control_plane
from tests.support.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OidcProvider,
    running_oidc_provider,
)
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.access import store as key_store
from tollbridge.access import user_store
from tollbridge.access.keys import KeyTerms
from tollbridge.access.oidc import Identity, OidcTerms, local_path
from tollbridge.access.users import Role, UserTerms
from tollbridge.api.errors import NameTakenError
from tollbridge.api.oidc import Oidc, user_of
from tollbridge.core.clock import ManualClock, SystemClock
from tollbridge.ledger import subscription_store, wallet_store
from tollbridge.ledger.wallets import WalletTerms
from tollbridge.processes.people import OidcWeb
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.transport import Transport
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

START = "/api/v1/auth/oidc/start"
CALLBACK = "/api/v1/auth/oidc/callback"


class Signing(msgspec.Struct):
    """A control plane whose people sign in with a provider."""

    plane: Plane
    provider: OidcProvider

    async def start(self, next_path: str = "/logs") -> dict[str, str]:
        """Begin; return what the browser brings back from the provider."""
        answer = await self.plane.client.get(START, params={"next": next_path})
        assert answer.status_code == 303
        return self.provider.authorize(answer.headers["location"])

    async def sign_in(self, **claims: object) -> httpx.Response:
        self.provider.claims = claims
        return await self.plane.client.get(CALLBACK, params=await self.start())


def terms_of(provider: OidcProvider, **changes: object) -> OidcTerms:
    plain = OidcTerms(
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        role_claim="groups",
        admin_values=("admins",),
        manager_values=("managers", "leads"),
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture
async def signing(database: Database) -> AsyncIterator[Signing]:
    transport = Transport(TransportLimits())
    clock = ManualClock()
    async with running_oidc_provider(clock) as provider:
        oidc = Oidc(terms_of(provider), OidcWeb(transport, SystemClock()).ask, clock, b"s" * 32)
        async with control_plane(database, oidc=oidc, clock=clock) as plane:
            yield Signing(plane, provider)
    await transport.aclose()


def assert_refused(answer: httpx.Response, said: str) -> None:
    """Refused: back to the sign-in page, which is told why; no session."""
    assert answer.status_code == 303
    place = urlsplit(answer.headers["location"])
    told = parse_qs(place.query)
    assert (place.path, place.netloc) == ("/sign-in", "")
    assert said in told["message"][0], told
    assert "tollbridge_session" not in answer.headers.get("set-cookie", "")


def error_of(answer: httpx.Response) -> str:
    """Return the code that the sign-in page is told."""
    return parse_qs(urlsplit(answer.headers["location"]).query)["error"][0]


async def test_whom_the_provider_knows_becomes_a_member_and_is_signed_in(signing: Signing) -> None:
    answer = await signing.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/logs")
    told = (await signing.plane.client.get("/api/v1/auth/session")).json()
    assert (told["user"], told["role"]) == ("ana", "member")
    assert signing.provider.asked["redirect_uri"] == f"http://office{CALLBACK}"
    methods = (await signing.plane.client.get("/api/v1/auth/methods")).json()
    assert (methods["oidc"], methods["oidc_name"]) == (True, "single sign-on")


async def test_the_same_person_is_the_same_user_whatever_they_are_called_now(
    signing: Signing,
) -> None:
    await signing.sign_in()
    await signing.sign_in(preferred_username="renamed")
    assert (await signing.plane.client.get("/api/v1/auth/session")).json()["user"] == "ana"


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["x", "admins"], "admin"),
        (["leads"], "manager"),
        ("managers", "manager"),
        (["x"], "member"),
        (None, "member"),
    ],
)
async def test_the_role_is_what_the_provider_says_at_each_sign_in(
    signing: Signing, groups: object, role: str
) -> None:
    await signing.sign_in(groups=["leads"])
    await signing.sign_in(groups=groups)
    assert (await signing.plane.client.get("/api/v1/auth/session")).json()["role"] == role


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "another"}, "not valid"),
        ({"aud": [CLIENT_ID, "another"]}, "somebody else"),
        ({"azp": "another"}, "somebody else"),
        ({"iss": "https://another.example"}, "not valid"),
        ({"exp": 1_000_000_000}, "not valid"),
        ({"nonce": "another"}, "not valid"),
        ({"nonce": None}, "not valid"),
        ({"sub": None}, "not valid"),
        ({"preferred_username": None}, "does not say"),
        ({"preferred_username": "a\nb"}, "cannot be one here"),
    ],
)
async def test_an_id_token_that_is_not_for_us_lets_nobody_in(
    signing: Signing, claims: dict[str, object], said: str
) -> None:
    assert_refused(await signing.sign_in(**claims), said)


async def test_a_token_that_another_key_has_signed_lets_nobody_in(signing: Signing) -> None:
    signing.provider.forger = RSAKey.generate_key(2048, parameters={"kid": "first"})
    assert_refused(await signing.sign_in(), "not valid")


async def test_keys_that_the_provider_has_changed_are_read_anew(signing: Signing) -> None:
    await signing.sign_in()
    signing.provider.key = RSAKey.generate_key(2048, parameters={"kid": "second"})
    signing.plane.clock.advance(61)
    answer = await signing.sign_in()
    assert answer.headers["location"] == "/logs"


@pytest.mark.parametrize("change", ["state", "cookie", "too late"])
async def test_an_answer_to_a_sign_in_that_this_browser_did_not_begin_is_refused(
    signing: Signing, change: str
) -> None:
    asked = await signing.start()
    if change == "state":
        asked["state"] = "x" * 43
    elif change == "cookie":
        signing.plane.client.cookies.clear()
    else:
        signing.plane.clock.advance(601)
    answer = await signing.plane.client.get(CALLBACK, params=asked)
    assert_refused(answer, "begin again")
    assert signing.provider.redeemed == []


async def test_a_code_that_the_provider_does_not_take_and_its_no_let_nobody_in(
    signing: Signing,
) -> None:
    asked = await signing.start()
    wrong = await signing.plane.client.get(CALLBACK, params={**asked, "code": "wrong"})
    assert_refused(wrong, "does not take")
    asked = await signing.start()
    refused = {"error": "access_denied", "state": asked["state"]}
    assert_refused(await signing.plane.client.get(CALLBACK, params=refused), "did not let you in")


async def test_a_user_with_a_password_is_not_taken_over_by_a_name(signing: Signing) -> None:
    await signing.plane.user("ana", Role.ADMIN)
    assert_refused(await signing.sign_in(), "not the provider's")


async def test_a_user_whom_an_admin_has_made_without_a_password_is_linked(
    signing: Signing,
) -> None:
    async with signing.plane.database.write() as unit:
        await user_store.create_user(unit, UserTerms("ana", Role.MANAGER, ("shop",)))
    await signing.sign_in(groups=["leads"])
    told = (await signing.plane.client.get("/api/v1/auth/session")).json()
    assert (told["role"], told["projects"]) == ("manager", ["shop"])
    assert_refused(await signing.sign_in(sub="subject-2"), "not the provider's")


@pytest.mark.parametrize("owned", ["key", "call", "wallet", "subscription"])
async def test_nobody_becomes_the_user_of_a_name_that_owns_something_already(
    signing: Signing, owned: str
) -> None:
    database = signing.plane.database
    if owned == "call":
        await record(database, [CallSpec(at_us=NOON_US, user="ana")])
    async with database.write() as unit:
        if owned == "key":
            await key_store.create_key(unit, KeyTerms(name="ci", user="ana"), PEPPER)
        elif owned == "wallet":
            wallet = WalletTerms("purse", "user:ana")
            await wallet_store.create_wallet(unit, wallet, actor="root")
        elif owned == "subscription":
            order = subscription_store.Order("ana", "Free")
            await subscription_store.subscribe(unit, order, actor="root", zone=UTC)
    refused = await signing.sign_in()
    assert_refused(refused, "here already")
    assert error_of(refused) == "user_name_taken"
    async with database.write() as unit:
        assert await user_store.find_user(unit, "ana") is None
        await user_store.create_user(unit, UserTerms("ana"))
    assert (await signing.sign_in()).headers["location"] == "/logs"


@pytest.mark.parametrize("groups", [["x"], ["leads"], None])
async def test_an_admin_is_not_taken_over_by_a_name(signing: Signing, groups: object) -> None:
    async with signing.plane.database.write() as unit:
        await user_store.create_user(unit, UserTerms("ana", Role.ADMIN))
    refused = await signing.sign_in(groups=groups)
    assert_refused(refused, "is an admin")
    assert error_of(refused) == "user_name_taken"
    await signing.sign_in(groups=["admins"])
    told = (await signing.plane.client.get("/api/v1/auth/session")).json()
    assert (told["user"], told["role"]) == ("ana", "admin")


async def test_an_admin_is_not_linked_where_roles_are_given_here(database: Database) -> None:
    terms = OidcTerms(issuer="https://sso.example", client_id=CLIENT_ID)
    async with database.write() as unit:
        await user_store.create_user(unit, UserTerms("ana", Role.ADMIN))
        with pytest.raises(NameTakenError):
            await user_of(unit, Identity("https://sso.example 1", "ana", None), terms)


async def test_a_link_to_the_provider_is_written_down(signing: Signing) -> None:
    async with signing.plane.database.write() as unit:
        await user_store.create_user(unit, UserTerms("ana"))
    await signing.sign_in()
    await signing.sign_in()
    headers = await signing.plane.key("root", "admin")
    signing.plane.client.cookies.clear()
    log = await signing.plane.client.get("/api/v1/audit?subject=user:ana", headers=headers)
    [linked] = log.json()["changes"]
    assert (linked["actor"], linked["action"]) == ("oidc", "users.change")
    assert linked["details"] == {"from": {"linked": False}, "to": {"linked": True}}


async def test_a_disabled_user_is_not_let_in(signing: Signing) -> None:
    await signing.sign_in()
    async with signing.plane.database.write() as unit:
        await user_store.set_disabled(unit, "ana", disabled=True)
    assert_refused(await signing.sign_in(), "disabled")


@pytest.mark.parametrize(
    "text", ["https://evil.example", "//evil.example", "/\\evil.example", "", "logs", "/a\nb"]
)
async def test_nobody_is_sent_to_another_site(database: Database, text: str) -> None:
    del database
    assert local_path(text) == "/"


async def test_without_a_provider_there_is_no_such_address(database: Database) -> None:
    async with control_plane(database) as plane:
        assert (await plane.client.get(START)).status_code == 404
