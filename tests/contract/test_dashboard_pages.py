"""How the dashboard's files are served: what may be kept, what a page may do, what is no page."""

import gzip
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.support.control import Plane, control_plane
from tollbridge.api.dashboard import Dashboard
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)

SCRIPT = b"console.log('a page');" * 40
PAGE = b'<script nonce="__CSP_NONCE__" src="/assets/index-abc.js"></script>'
ASSET = "/assets/index-abc.js"
PAGES = ("/", "/logs", "/models/gpt-4o", "/v10", "/apiary")
NOT_PAGES = ("/api", "/api/v1/nothing", "/v1/nothing", "/v2/nothing", "/v1beta/x", "/metrics/x")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dashboard"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "secret.js").write_bytes(b"not an asset")
    return folder


@pytest.fixture
async def plane(database: Database, built: Path) -> AsyncGenerator[Plane]:
    async with control_plane(database) as made:
        made.application.router.default = Dashboard(built)
        yield made


@pytest.mark.parametrize("path", PAGES)
async def test_every_address_of_the_dashboard_is_the_one_page(plane: Plane, path: str) -> None:
    answer = await plane.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "/assets/index-abc.js" in answer.text


@pytest.mark.parametrize("path", NOT_PAGES)
async def test_an_address_of_the_api_is_never_a_page(plane: Plane, path: str) -> None:
    answer = await plane.client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "no_such_address"


async def test_a_page_may_load_nothing_from_anywhere_else(plane: Plane) -> None:
    answer = await plane.client.get("/")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"https?:|\*", answer.headers["content-security-policy"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_each_page_has_a_nonce_of_its_own(plane: Plane) -> None:
    found = set[str]()
    for _ in range(2):
        answer = await plane.client.get("/")
        nonce = re.search(r'nonce="([^"]+)"', answer.text)
        assert nonce is not None
        assert f"'nonce-{nonce[1]}'" in answer.headers["content-security-policy"]
        found.add(nonce[1])
    assert len(found) == 2


async def test_an_asset_may_be_kept_for_ever_and_comes_packed(plane: Plane) -> None:
    packed = await plane.client.get(ASSET, headers={"accept-encoding": "br, gzip"})
    assert packed.content == SCRIPT
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    plain = await plane.client.get(ASSET, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT


@pytest.mark.parametrize(
    "name",
    ["nothing-abc.js", "..%2Fsecret.js", "../secret.js", "index-abc.js.gz", "", ".js", "x/y.js"],
)
async def test_what_is_no_asset_is_not_found(plane: Plane, name: str) -> None:
    answer = await plane.client.get(f"/assets/{name}")
    assert b"not an asset" not in answer.content
    assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")


async def test_pages_are_only_read(plane: Plane) -> None:
    answer = await plane.client.post("/logs", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_where_it_is_not_built_one_line_says_how(plane: Plane, tmp_path: Path) -> None:
    plane.application.router.default = Dashboard(tmp_path / "nowhere")
    answer = await plane.client.get("/")
    assert answer.status_code == 404
    assert "make dashboard" in answer.text
    assert answer.text.count("\n") == 1
