"""Which rows are kept of wallets?"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
)

from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.ledger.credits import OPERATION_LENGTH_MAX
from tollbridge.ledger.tables import ID_LENGTH_MAX
from tollbridge.ledger.wallets import (
    KEY_LENGTH_MAX,
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    SUBJECT_LENGTH_MAX,
)
from tollbridge.storage import kept
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.types import Amount, CallId, Instant, NanoUsd, metadata

# Whoever writes transactions of a wallet holds its row; several are taken in the order of their
# ids, and after the rows of budget periods.
wallets = Table(
    "wallets",
    metadata,
    Column("wallet_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # organisation:…, project:…, user:…, key:… or customer:…
    Column("subject", String(SUBJECT_LENGTH_MAX), nullable=False),
    Column("unit", String(16), nullable=False),
    Column("overdraft", Amount, nullable=False),
    Column("enabled", Boolean, nullable=False),
    # Those of the last transaction.
    Column("balance", Amount, nullable=False),
    Column("held", Amount, nullable=False),
    Column("transaction_count", BigInteger, nullable=False),
    # Nothing is dated before it any more: a transaction was, or a balance was told.
    Column("last_at_us", Instant, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    # A call would pay twice otherwise.
    UniqueConstraint("subject", "unit"),
)

# What is left of each grant: Σ of the entries of its account.
wallet_grants = Table(
    "wallet_grants",
    metadata,
    Column("wallet_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("remaining", Amount, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("granted_at_us", Instant, nullable=False),
    Column("expires_at_us", Instant),
    sqlite_with_rowid=False,
)
Index(
    "ix_wallet_grants_live",
    wallet_grants.c.wallet_id,
    wallet_grants.c.expires_at_us,
    sqlite_where=wallet_grants.c.remaining != 0,
    postgresql_where=wallet_grants.c.remaining != 0,
)

# What is set aside, until it is posted, voided or expires.
wallet_holds = Table(
    "wallet_holds",
    metadata,
    Column("wallet_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", Amount, nullable=False),
    Column("expires_at_us", Instant, nullable=False),
    Column("is_open", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_wallet_holds_open",
    wallet_holds.c.wallet_id,
    wallet_holds.c.expires_at_us,
    sqlite_where=wallet_holds.c.is_open,
    postgresql_where=wallet_holds.c.is_open,
)

# The statement: one row per transaction, numbered from 1 on in each wallet. Never changed.
wallet_transactions = Table(
    "wallet_transactions",
    metadata,
    Column("wallet_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("held", Amount, nullable=False),
    Column("balance_after", Amount, nullable=False),
    Column("held_after", Amount, nullable=False),
    Column("is_overrun", Boolean, nullable=False),
    Column("about_number", BigInteger),
    Column("posted_at_us", Instant, nullable=False),
    Column("recorded_at_us", Instant, nullable=False),
    Column("call_id", CallId),
    Column("operation", String(OPERATION_LENGTH_MAX)),
    Column("model", String(MODEL_LENGTH_MAX)),
    Column("tokens", BigInteger),
    Column("images", BigInteger),
    Column("price_nanousd", NanoUsd),
    Column("actor", String(ACTOR_LENGTH_MAX), nullable=False),
    Column("note", String(NOTE_LENGTH_MAX), nullable=False),
    Column("idempotency_key", String(KEY_LENGTH_MAX)),
    Column("payload", String(64)),
    sqlite_with_rowid=False,
)
Index(
    "ix_wallet_transactions_posted_at_us",
    wallet_transactions.c.wallet_id,
    wallet_transactions.c.posted_at_us,
    wallet_transactions.c.number,
)
# No call is paid for twice.
_OF_CALL = and_(
    wallet_transactions.c.call_id.is_not(None), wallet_transactions.c.kind == "deduction"
)
Index(
    "uq_wallet_transactions_call_id",
    wallet_transactions.c.call_id,
    wallet_transactions.c.wallet_id,
    unique=True,
    sqlite_where=_OF_CALL,
    postgresql_where=_OF_CALL,
)
_KEYED = wallet_transactions.c.idempotency_key.is_not(None)
Index(
    "uq_wallet_transactions_idempotency_key",
    wallet_transactions.c.wallet_id,
    wallet_transactions.c.idempotency_key,
    unique=True,
    sqlite_where=_KEYED,
    postgresql_where=_KEYED,
)
_ABOUT = wallet_transactions.c.about_number.is_not(None)
Index(
    "ix_wallet_transactions_about_number",
    wallet_transactions.c.wallet_id,
    wallet_transactions.c.about_number,
    sqlite_where=_ABOUT,
    postgresql_where=_ABOUT,
)

# Each moves an amount from one account of the wallet to another. Never changed.
wallet_entries = Table(
    "wallet_entries",
    metadata,
    Column("wallet_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("source", String(32), nullable=False),
    Column("target", String(32), nullable=False),
    Column("amount", Amount, nullable=False),
    sqlite_with_rowid=False,
)
for _table in (wallet_transactions, wallet_entries):
    kept.listen(_table)
