"""How do the dashboard's pages reach a browser?

The office answers with them wherever no other address is. The files are those that `npm run build`
has put into the package; each asset's name holds a digest of it, so that it may be kept for ever.
Page addresses are the dashboard's own affair: any that is not the API's is answered with the one
page, under a policy that lets it load nothing from anywhere else.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tollbridge.api.errors import NoSuchAddressError
from tollbridge.core.errors import MethodNotAllowedError

PAGES = Path(__file__).resolve().parents[1] / "dashboard"
INDEX = "index.html"
ASSETS = "/assets/"
NOT_BUILT = (
    "The dashboard is not built. With Node 20 and npm: make dashboard (or, in dashboard/, "
    "npm ci && npm run build). The API is at /api/openapi.json.\n"
)
NONCE = b"__CSP_NONCE__"
"""Stands in the page as it was built."""
NONCE_BYTES = 18
# What is never a page, however wrong the rest of the address is.
NOT_PAGES = re.compile(r"/(api|v1|v1beta|v2|metrics|healthz|readyz)(/|$)")
ASSET_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""Content codings that lie ready beside an asset, the smallest first."""
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".woff2": "font/woff2",
    }
)
GUARDS: Mapping[str, str] = MappingProxyType(
    {
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }
)
PAGE_GUARDS: Mapping[str, str] = MappingProxyType(
    {
        **GUARDS,
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        # A sign-in link's token stands in an address.
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
    }
)


def content_security_policy(nonce: str) -> str:
    """Return the policy of one answer; styles and scripts in the page itself need its nonce."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Dashboard:
    """Answers what no other address of the office is for, as plain ASGI.

    Raises NoSuchAddressError and MethodNotAllowedError.
    """

    def __init__(self, pages: Path = PAGES) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        response = await self._answer(scope["method"], scope["path"], Headers(scope=scope))
        await response(scope, receive, send)

    async def _answer(self, method: str, path: str, headers: Headers) -> Response:
        if NOT_PAGES.match(path):
            raise NoSuchAddressError(f"there is nothing at {path}")
        if method not in {"GET", "HEAD"}:
            raise MethodNotAllowedError(
                "only GET and HEAD are for pages", details={"allow": "GET, HEAD"}
            )
        if path.startswith(ASSETS):
            return await self._asset(path.removeprefix(ASSETS), headers.get("accept-encoding", ""))
        page = await asyncio.to_thread(_bytes_of, self._pages / INDEX)
        if page is None:
            return PlainTextResponse(NOT_BUILT, 404, GUARDS)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        policy = {"content-security-policy": content_security_policy(nonce)}
        page = page.replace(NONCE, nonce.encode())
        return Response(page, 200, {**PAGE_GUARDS, **policy}, media_type="text/html")

    async def _asset(self, name: str, accepted: str) -> Response:
        media_type = MEDIA_TYPES.get(Path(name).suffix)
        if media_type is None or not ASSET_NAME.fullmatch(name):
            raise NoSuchAddressError("there is no such asset")
        headers = {**GUARDS, "vary": "accept-encoding"}
        headers["cache-control"] = "public, max-age=31536000, immutable"
        path = self._pages / "assets" / name
        for coding, suffix in ENCODINGS:
            if not accepts(accepted, coding):
                continue
            content = await asyncio.to_thread(_bytes_of, path.with_name(name + suffix))
            if content is not None:
                headers["content-encoding"] = coding
                return Response(content, 200, headers, media_type=media_type)
        content = await asyncio.to_thread(_bytes_of, path)
        if content is None:
            raise NoSuchAddressError("there is no such asset; the page may have been built anew")
        return Response(content, 200, headers, media_type=media_type)


def accepts(accepted: str, coding: str) -> bool:
    """Return whether an accept-encoding header names a coding, and not to refuse it."""
    for one in accepted.split(","):
        name, _, weight = one.strip().partition(";")
        if name.strip().lower() == coding:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
