"""Do the wallets contradict themselves?

Of each wallet: its balance = Σ of its transactions = what its entries leave on its grants and its
overdraft; its statement has no gap, and its balance runs. Of each grant: what is left = Σ of its
entries.
"""

from collections.abc import Mapping

from tollbridge.core.settlement import Discrepancy
from tollbridge.storage.unit import Unit

DISCREPANCIES_MAX = 1000

_CHECKS: Mapping[str, str] = {
    "wallet balance": """
        SELECT 'wallet:' || w.wallet_id AS subject, coalesce(s.total, 0) AS expected,
               w.balance AS found
        FROM wallets AS w LEFT JOIN (
            SELECT wallet_id, sum(amount) AS total FROM wallet_transactions GROUP BY wallet_id
        ) AS s ON s.wallet_id = w.wallet_id
        WHERE w.balance <> coalesce(s.total, 0)
        ORDER BY 1""",
    "wallet held": """
        SELECT 'wallet:' || w.wallet_id AS subject, coalesce(s.total, 0) AS expected,
               w.held AS found
        FROM wallets AS w LEFT JOIN (
            SELECT wallet_id, sum(amount) AS total FROM wallet_holds WHERE is_open
            GROUP BY wallet_id
        ) AS s ON s.wallet_id = w.wallet_id
        WHERE w.held <> coalesce(s.total, 0)
        ORDER BY 1""",
    "wallet statement": """
        SELECT 'wallet:' || w.wallet_id AS subject, coalesce(s.total, 0) AS expected,
               w.transaction_count AS found
        FROM wallets AS w LEFT JOIN (
            SELECT wallet_id, count(*) AS total, max(number) AS last FROM wallet_transactions
            GROUP BY wallet_id
        ) AS s ON s.wallet_id = w.wallet_id
        WHERE w.transaction_count <> coalesce(s.total, 0)
           OR w.transaction_count <> coalesce(s.last, 0)
        ORDER BY 1""",
    "wallet running balance": """
        SELECT 'wallet:' || wallet_id || ':' || number AS subject, before + amount AS expected,
               balance_after AS found
        FROM (
            SELECT wallet_id, number, amount, balance_after,
                   coalesce(lag(balance_after) OVER (PARTITION BY wallet_id ORDER BY number), 0)
                       AS before
            FROM wallet_transactions
        ) AS running
        WHERE before + amount <> balance_after
        ORDER BY 1""",
    "wallet entries": """
        SELECT 'wallet:' || w.wallet_id AS subject, coalesce(s.total, 0) AS expected,
               w.balance AS found
        FROM wallets AS w LEFT JOIN (
            SELECT wallet_id, sum(amount) AS total FROM (
                SELECT wallet_id, target AS account, amount FROM wallet_entries
                UNION ALL
                SELECT wallet_id, source, -amount FROM wallet_entries
            ) AS sides
            WHERE account = 'overdraft' OR substr(account, 1, 6) = 'grant:' GROUP BY wallet_id
        ) AS s ON s.wallet_id = w.wallet_id
        WHERE w.balance <> coalesce(s.total, 0)
        ORDER BY 1""",
    "wallet grant": """
        SELECT 'wallet:' || g.wallet_id || ':grant:' || g.number AS subject,
               coalesce(s.total, 0) AS expected, g.remaining AS found
        FROM wallet_grants AS g LEFT JOIN (
            SELECT wallet_id, account, sum(amount) AS total FROM (
                SELECT wallet_id, target AS account, amount FROM wallet_entries
                UNION ALL
                SELECT wallet_id, source, -amount FROM wallet_entries
            ) AS sides GROUP BY wallet_id, account
        ) AS s ON s.wallet_id = g.wallet_id AND s.account = 'grant:' || g.number
        WHERE g.remaining <> coalesce(s.total, 0)
        ORDER BY 1""",
}


async def books(unit: Unit) -> list[Discrepancy]:
    """Return where two figures differ, at most 1,000 places; [] when all is well.

    Reads all of the wallets' statements: a check, for a reading unit.
    """
    found: list[Discrepancy] = []
    for kind, sql in _CHECKS.items():
        rows = await unit.connection.exec_driver_sql(f"{sql} LIMIT {DISCREPANCIES_MAX}")
        found += [
            Discrepancy(kind, str(row.subject), int(row.expected), int(row.found)) for row in rows
        ]
    return found[:DISCREPANCIES_MAX]
