"""Which installation does a command speak of, and who runs it?"""

import os
import pwd
from pathlib import Path
from typing import Annotated, Any

import typer

from tollbridge.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option(help="Directory of database, spool and secrets.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def load_settings(**overrides: Any) -> Settings:
    """Return the settings; overrides that are None do not count."""
    return Settings(**{name: value for name, value in overrides.items() if value is not None})


def actor() -> str:
    """Return who runs this command, for the audit log: the user of the operating system."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"  # a container may run as a user that nobody has named
