"""How does Alembic run here? On the connection, and in the transaction, of `storage.migrate`."""

from alembic import context
from sqlalchemy import Connection

from tollbridge.access import tables as access_tables
from tollbridge.attribution import tables as attribution_tables
from tollbridge.core.errors import ConfigurationError
from tollbridge.ledger import adjustment_tables as ledger_adjustment_tables
from tollbridge.ledger import tables as ledger_tables
from tollbridge.rating import model_tables
from tollbridge.rating import tables as rating_tables
from tollbridge.recording import adjustment_tables, archive_tables, content_tables
from tollbridge.recording import tables as recording_tables
from tollbridge.routing import tables as routing_tables
from tollbridge.storage import audit, versions
from tollbridge.storage.types import metadata

# Importing a module defines its tables on the metadata.
TABLES = (
    versions,
    audit,
    access_tables,
    attribution_tables,
    routing_tables,
    rating_tables,
    model_tables,
    ledger_tables,
    recording_tables,
    adjustment_tables,
    ledger_adjustment_tables,
    archive_tables,
    content_tables,
)


def run() -> None:
    """Run the steps that were asked for."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise ConfigurationError("migrations run by `tollbridge db`, not by the alembic command")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot alter a column: the table is copied.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
