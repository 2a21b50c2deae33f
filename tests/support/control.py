"""The control plane without its processes: an HTTP client that calls it in this process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import msgspec
from fastapi import FastAPI

from tollbridge.access import store, user_store
from tollbridge.access.keys import KeyTerms
from tollbridge.access.own_keys import MemberKeys
from tollbridge.access.users import Role, UserTerms, hash_password
from tollbridge.api.application import create_application
from tollbridge.api.deps import ControlServices
from tollbridge.api.figures import OfficeFigures, WorkerFigures
from tollbridge.api.oidc import Oidc
from tollbridge.core.clock import ManualClock
from tollbridge.jobs.alerts import AlertNotifier
from tollbridge.recording.intake import Intake
from tollbridge.storage.unit import Database

PEPPER = b"p" * 32
MASTER = b"m" * 32
PASSWORD = "correct horse"
FIGURES = OfficeFigures(
    database_is_up=True,
    workers_expected=1,
    workers=(WorkerFigures(worker="worker-1", pid=1, breakers={"openai": "open"}),),
)


class Plane(msgspec.Struct):
    """A control plane under test. Figures may be replaced; faults are collected."""

    application: FastAPI
    client: httpx.AsyncClient
    database: Database
    clock: ManualClock
    figures: OfficeFigures = FIGURES
    faults: list[BaseException] = []

    async def key(self, name: str, *scopes: str, user: str | None = None) -> dict[str, str]:
        """Mint a key; return the headers that carry it."""
        terms = KeyTerms(name=name, user=user or name, scopes=scopes)
        async with self.database.write() as unit:
            minted = await store.create_key(unit, terms, PEPPER)
        return {"authorization": f"Bearer {minted.key}"}

    async def user(self, name: str, role: Role, *projects: str) -> None:
        """Add a user whose password is PASSWORD."""
        terms = UserTerms(name, role, projects)
        async with self.database.write() as unit:
            await user_store.create_user(unit, terms, hash_password(PASSWORD))


@asynccontextmanager
async def control_plane(
    database: Database,
    intake: Intake | None = None,
    *,
    oidc: Oidc | None = None,
    alerts: AlertNotifier | None = None,
    clock: ManualClock | None = None,
    member_keys: MemberKeys | None = None,
) -> AsyncGenerator[Plane]:
    """Yield a control plane on a migrated database."""
    clock = clock or ManualClock()
    faults: list[BaseException] = []
    planes: list[Plane] = []
    application = create_application(
        ControlServices(
            database=database,
            clock=clock,
            token_secret=b"s" * 32,
            pepper=PEPPER,
            master=MASTER,
            figures=lambda: planes[0].figures,
            on_fault=lambda _action, error: faults.append(error),
            body_bytes_max=64 * 1024,
            intake=intake,
            oidc=oidc,
            alerts=alerts,
            member_keys=member_keys or MemberKeys(),
        )
    )
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://office") as client:
        plane = Plane(application, client, database, clock, faults=faults)
        planes.append(plane)
        yield plane
