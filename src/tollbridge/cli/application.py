"""Which commands are there, and how does one of them fail?

Exit status: 0 done; 1 done, and what was checked is not in order; 2 not done, and the last line
says why.
"""

import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError

from tollbridge.cli import (
    alerts,
    archive,
    attribute_table,
    backfill,
    backup,
    budgets,
    changes,
    credit_rates,
    database,
    demo,
    detect,
    doctor,
    endpoints,
    experiments,
    export,
    imports,
    insight,
    insight_forecast,
    intake,
    jobs,
    keys,
    ledger,
    models,
    plans,
    price_sources,
    prices,
    replay,
    routes,
    rules,
    serve,
    subscriptions,
    usage_show,
    users,
    wallets,
)
from tollbridge.core.errors import TollbridgeError
from tollbridge.storage.faults import is_database_fault

FAILED = 2
INTERRUPTED = 130

application = typer.Typer(
    name="tollbridge",
    help="An AI gateway and the books behind it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
application.command("serve")(serve.serve)
application.command("detect")(detect.detect)
application.command("backfill")(backfill.backfill)
application.command("attribute-table")(attribute_table.attribute_table)
application.command("replay")(replay.replay)
application.command("import")(imports.import_usage)
application.command("export")(export.export_usage)
application.add_typer(intake.commands, name="intake")
application.command("demo")(demo.demo)
application.command("doctor")(doctor.doctor)
application.command("backup")(backup.backup)
application.command("audit")(changes.audit)
application.add_typer(alerts.commands, name="alerts")
application.add_typer(archive.commands, name="archive")
application.add_typer(database.commands, name="db")
application.add_typer(endpoints.commands, name="endpoints")
application.add_typer(routes.commands, name="routes")
application.add_typer(experiments.commands, name="experiments")
insight.commands.command("forecast")(insight_forecast.forecast)
insight.commands.command("outlook")(insight_forecast.outlook)
application.add_typer(insight.commands, name="insight")
application.add_typer(jobs.commands, name="jobs")
application.add_typer(keys.commands, name="keys")
application.add_typer(ledger.commands, name="ledger")
application.add_typer(models.commands, name="models")
application.add_typer(budgets.commands, name="budgets")
application.add_typer(plans.commands, name="plans")
prices.commands.command("sync")(price_sources.sync)
prices.commands.command("import")(price_sources.import_file)
application.add_typer(prices.commands, name="prices")
application.add_typer(rules.commands, name="rules")
application.add_typer(subscriptions.commands, name="subscriptions")
application.add_typer(usage_show.commands, name="usage")
application.add_typer(wallets.commands, name="wallets")
application.add_typer(credit_rates.commands, name="credit-rates")
application.add_typer(users.commands, name="users")


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
        if is_database_fault(error):
            _fail(f"the database does not answer: {error}")
        raise


def _fail(message: str) -> None:
    sys.stderr.write(f"tollbridge: {message}\n")
    sys.exit(FAILED)
