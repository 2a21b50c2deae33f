"""Which commands are there, and how does one of them fail?

Exit status: 0 done; 1 done, and what was checked is not in order; 2 not done, and the last line
says why.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup
from typing_extensions import override

from tollbridge.core.errors import TollbridgeError

FAILED = 2
INTERRUPTED = 130
GROUP = "commands"
STYLE: Mapping[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("tollbridge.cli.serve", "serve"),
    "detect": ("tollbridge.cli.detect", "detect"),
    "backfill": ("tollbridge.cli.backfill", "backfill"),
    "attribute-table": ("tollbridge.cli.attribute_table", "attribute_table"),
    "replay": ("tollbridge.cli.replay", "replay"),
    "import": ("tollbridge.cli.imports", "import_usage"),
    "export": ("tollbridge.cli.export", "export_usage"),
    "demo": ("tollbridge.cli.demo", "demo"),
    "doctor": ("tollbridge.cli.doctor", "doctor"),
    "backup": ("tollbridge.cli.backup", "backup"),
    "audit": ("tollbridge.cli.changes", "audit"),
    "intake": ("tollbridge.cli.intake", GROUP),
    "alerts": ("tollbridge.cli.alerts", GROUP),
    "archive": ("tollbridge.cli.archive", GROUP),
    "db": ("tollbridge.cli.database", GROUP),
    "endpoints": ("tollbridge.cli.endpoints", GROUP),
    "routes": ("tollbridge.cli.routes", GROUP),
    "experiments": ("tollbridge.cli.experiments", GROUP),
    "insight": ("tollbridge.cli.insight_forecast", GROUP),
    "jobs": ("tollbridge.cli.jobs", GROUP),
    "keys": ("tollbridge.cli.keys", GROUP),
    "ledger": ("tollbridge.cli.ledger", GROUP),
    "models": ("tollbridge.cli.models", GROUP),
    "budgets": ("tollbridge.cli.budgets", GROUP),
    "plans": ("tollbridge.cli.plans", GROUP),
    "prices": ("tollbridge.cli.price_sources", GROUP),
    "rules": ("tollbridge.cli.rules", GROUP),
    "subscriptions": ("tollbridge.cli.subscriptions", GROUP),
    "usage": ("tollbridge.cli.usage_show", GROUP),
    "wallets": ("tollbridge.cli.wallets", GROUP),
    "credit-rates": ("tollbridge.cli.credit_rates", GROUP),
    "users": ("tollbridge.cli.users", GROUP),
}
"""Each command, by the module that has it and its name in there."""


class Loading(Mapping[str, Any]):
    """The commands; each is loaded when it is asked for.

    What one of them needs is most of the program: it would cost a second before `serve` begins,
    and the supervisor would carry it for as long as it lives.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    @override
    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, *COMMANDS[name])
        return self._loaded[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    @override
    def __len__(self) -> int:
        return len(COMMANDS)


class Application(TyperGroup):
    """The program: nothing is loaded but the command that runs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = Loading()

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands' names in the order of the table."""
        return list(COMMANDS)


application = typer.Typer(
    name="tollbridge",
    help="An AI gateway and the books behind it.",
    cls=Application,
    no_args_is_help=True,
    **STYLE,
)


@application.callback()
def _whole() -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command: that of this process' arguments, where none are handed in."""
    try:
        application(arguments, prog_name="tollbridge")
    except TollbridgeError as error:
        _fail(error.message)
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"]).upper()
            sys.stderr.write(f"tollbridge: TOLLBRIDGE_{name}: {found['msg']}\n")
        sys.exit(FAILED)
    except OSError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if _is_database_fault(error):
            _fail(f"the database does not answer: {error}")
        raise


def _load(name: str, module: str, attribute: str) -> Any:
    found = getattr(import_module(module), attribute)
    alone = typer.Typer(**STYLE)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]


def _is_database_fault(error: Exception) -> bool:
    # Whoever reached a database has loaded this; to load it for any other fault takes a second.
    faults = sys.modules.get("tollbridge.storage.faults")
    return faults is not None and faults.is_database_fault(error)


def _fail(message: str) -> None:
    sys.stderr.write(f"tollbridge: {message}\n")
    sys.exit(FAILED)
