"""What must be done once before workers start?

Migrations, prices of the seed, the user admin, the configuration file, the endpoints that the
environment has keys for. All of it may be done again: twice is once.
"""

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from tollbridge.access import session_store, user_store
from tollbridge.access import store as access_store
from tollbridge.access.keys import KeyTerms, Minted
from tollbridge.access.users import Role, UserTerms, hash_password
from tollbridge.configuration.read import Configuration, read_file
from tollbridge.core.clock import Clock
from tollbridge.ledger import alert_store, credit_store
from tollbridge.ledger import store as ledger_store
from tollbridge.processes.secrets import Secrets
from tollbridge.providers.names import load_names
from tollbridge.rating import store as rating_store
from tollbridge.rating.sources.media import seed_with_media
from tollbridge.recording import intake_registry_store
from tollbridge.routing import store as routing_store
from tollbridge.routing.builtin import Known, builtin_endpoints, load_known
from tollbridge.routing.part import DeclaredEndpoint, Skipped, Source
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database, Unit

ADMIN = "admin"
START_KEY = "start"
FILE_ACTOR = "configuration file"


class Prepared(msgspec.Struct, frozen=True):
    """What the person who started us should know."""

    skipped: tuple[Skipped, ...] = ()
    """What somebody declared or switched off."""
    unused: tuple[Skipped, ...] = ()
    """Built-in endpoints that nobody gave what they need."""
    live: tuple[str, ...] = ()
    minted: tuple[Minted, ...] = ()
    start_key: str | None = None
    admin_password: str | None = None
    """Only where it was made just now."""
    sign_in_token: str | None = None
    """Of a link that signs the admin in, once."""


async def prepare(
    database: Database,
    settings: Settings,
    installation: Secrets,
    clock: Clock,
    environment: Mapping[str, str],
    sandbox_url: str | None,
) -> Prepared:
    """Bring the database to what code, environment and configuration file say.

    Raises ConfigurationError where they cannot be applied; then nothing of the file is.
    """
    known = load_known(sandbox_url)
    if settings.config is None:
        configuration = Configuration()
    else:
        configuration = read_file(settings.config, environment, known)
    builtin, unused = builtin_endpoints(known, environment, configuration.endpoint_names)
    now_us = clock.now_us()
    async with database.write() as unit:
        await rating_store.seed(unit, now_us, seed_with_media(load_names().resolve))
        off = await _apply_routing(unit, configuration, known, builtin, installation.master)
        keys = await access_store.apply(unit, configuration.keys, installation.pepper)
        await rating_store.apply_file_prices(unit, configuration.prices, now_us)
        await ledger_store.apply(unit, configuration.budgets)
        await alert_store.apply_file(unit, configuration.budget_alerts)
        await credit_store.apply(unit, configuration.credit_rates, actor=FILE_ACTOR)
        await intake_registry_store.apply(
            unit, configuration.intake_sources, actor=FILE_ACTOR, now_us=now_us
        )
        start_key = None
        if settings.sandbox:
            terms = KeyTerms(name=START_KEY, user=ADMIN, scopes=("call", "read"))
            start_key = (await access_store.replace_key(unit, terms, installation.pepper)).key
        made, sign_in_token = await _make_admin(unit, settings, installation.pepper, now_us)
    declared = [one.endpoint.name for one in (*configuration.endpoints, *builtin)]
    return Prepared(
        skipped=(
            *configuration.skipped,
            *(Skipped(name, "it is switched off") for name in declared if name in off),
        ),
        unused=tuple(unused),
        live=tuple(name for name in declared if name not in off),
        minted=keys.minted,
        start_key=start_key,
        admin_password=made,
        sign_in_token=sign_in_token,
    )


async def _make_admin(
    unit: Unit, settings: Settings, pepper: bytes, now_us: int
) -> tuple[str | None, str | None]:
    """Return the admin's password, where it was made just now, and a sign-in link's token."""
    admin = await user_store.find_user(unit, ADMIN)
    made = None
    if admin is None:
        given = settings.admin_password
        made = secrets.token_urlsafe(18) if given is None else None
        password = made if given is None else given.get_secret_value()
        terms = UserTerms(ADMIN, Role.ADMIN)
        await user_store.create_user(unit, terms, hash_password(password or ""))
    elif admin.user.disabled_at_us is not None:
        return None, None
    lifetime_s = settings.sign_in_link_lifetime_s
    token = await session_store.make_link(
        unit, ADMIN, pepper=pepper, lifetime_s=lifetime_s, now_us=now_us
    )
    return made, token


async def _apply_routing(
    unit: Unit,
    configuration: Configuration,
    known: Known,
    builtin: Sequence[DeclaredEndpoint],
    master: bytes,
) -> set[str]:
    """Apply what file and environment say of endpoints and routes.

    Return the endpoints that are off, whoever switched them off.
    """
    await routing_store.apply(
        unit,
        configuration.endpoints,
        configuration.routes,
        master,
        absent=known.endpoints.keys() | configuration.endpoint_names,
    )
    await routing_store.apply(
        unit, builtin, (), master, source=Source.BUILTIN, absent=known.endpoints.keys()
    )
    rows = [one.declared.endpoint for one in await routing_store.list_endpoints(unit)]
    return {one.name for one in rows if not one.enabled}
