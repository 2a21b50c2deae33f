"""Which addresses does a provider have?"""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tollbridge.sandbox.frame import Voice
from tollbridge.sandbox.visit import Visit

Handler = Callable[[Visit], Awaitable[None]]


class Route(NamedTuple):
    """One address: `{name}` stands for a segment without a colon, `{name*}` for anything."""

    method: str
    path: str
    operation: str
    handler: Handler


class Dialect(NamedTuple):
    """A provider as the sandbox plays it."""

    name: str
    base: str
    """The first segment of its addresses, with a slash; "" for OpenAI."""
    root: str
    """The rest of the base URL that a client of this provider is given."""
    routes: tuple[Route, ...]
    voice: Voice
    auth: tuple[str, ...] = ()
    """A request must have one of these headers; empty: they are not looked at."""


class Match(NamedTuple):
    """The route of an address and its parameters."""

    route: Route
    params: dict[str, str]


class Router:
    """Finds the route of an address in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in dialect.routes:
            if "{" in route.path:
                self._patterns.append((_compiled(route.path), route))
            else:
                self._exact[route.method, route.path] = route

    def find(self, method: str, path: str) -> Match | None:
        """Return the route, None where there is none."""
        route = self._exact.get((method, path))
        if route is not None:
            return Match(route, {})
        for pattern, candidate in self._patterns:
            if candidate.method == method and (found := pattern.fullmatch(path)):
                return Match(candidate, found.groupdict())
        return None


def _compiled(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\*?\})", path)
    return re.compile("".join(_pattern(part) for part in parts))


def _pattern(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    if part.endswith("*}"):
        return f"(?P<{part[1:-2]}>.+)"
    return f"(?P<{part[1:-1]}>[^/:]+)"
