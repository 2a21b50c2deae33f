"""Does a worker load what it must not?"""

import subprocess
import sys

FORBIDDEN = ("fastapi", "starlette", "sqlalchemy", "alembic", "aiosqlite", "asyncpg")


def test_a_worker_loads_neither_framework_nor_database() -> None:
    """A fresh process that has imported the worker has none of these libraries in memory."""
    script = (
        "import sys, tollbridge.processes.worker\n"
        f"print(*(name for name in {FORBIDDEN!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
