"""The table of commands: each can be loaded, and nothing is loaded that does not run."""

import subprocess
import sys
from typing import Any

import pytest
import typer

from tollbridge.cli.application import COMMANDS, application

HEAVY = ("sqlalchemy", "fastapi", "alembic", "asyncpg")
LOADED = f"""
import sys, typer
from tollbridge.cli.application import application
typer.main.get_command(application).commands["serve"]
print([name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_the_table_is_there_and_says_what_it_does(name: str) -> None:
    commands: Any = getattr(typer.main.get_command(application), "commands", {})
    assert commands[name].name == name
    assert commands[name].get_short_help_str(40)


def test_the_supervisor_loads_neither_a_database_nor_a_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
