"""Which file may import which library?

.importlinter holds what may be known through others; this holds what stands in a file itself.
"""

import ast
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from types import MappingProxyType

from tests.tidy.source import Source, Violation

SQL = ("storage/*", "*/*tables.py", "*/*store.py", "insight/*queries.py")
SERVER = ("api/*", "processes/*", "sandbox/*")

# Patterns below src/tollbridge; a library that is not named here may be imported anywhere.
HOMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aiosqlite": SQL,
        "alembic": ("storage/*",),
        "asyncpg": SQL,
        "cronsim": ("core/schedule.py",),
        "sqlalchemy": SQL,
        "sqlite3": SQL,
        "dbos": ("jobs/engine.py",),
        "fastapi": ("api/*",),
        "starlette": ("api/*",),
        "uvicorn": SERVER,
        "uvloop": SERVER,
        "httptools": ("api/*", "processes/*", "providers/*"),
        "pydantic_settings": ("settings.py",),
        "typer": ("cli.py", "cli/*"),
    }
)


def at_home(source: Source) -> Iterator[Violation]:
    """Yield imports of a library outside of the files that are there to know it."""
    path = source.path.removeprefix("src/tollbridge/")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            homes = HOMES.get(name.partition(".")[0])
            if homes is not None and not any(fnmatch(path, home) for home in homes):
                yield source.violation(node, f"{name} is imported in {', '.join(homes)} only")
