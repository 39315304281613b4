"""Give fills and equity snapshots their currency: an agent may have an account in several.

Older books have one currency, that of the accounts' starting cash; their rows get it. An agent has
one equity row per snapshot and currency, so the currency is part of that key. The triggers that
refuse changes are those of revisions 0002 and 0004.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

DEFAULT_CURRENCY = "USD"
CURRENCY = "SELECT unit FROM accounts WHERE name = 'house/capital' ORDER BY account_id LIMIT 1"
KEYS = {"fills": ("shard", "log_offset"), "equity_snapshots": ("snapshot_id", "agent")}
WIDER_KEYS = {"equity_snapshots": (*KEYS["equity_snapshots"], "currency")}
FIRST_WINS = ("equity_snapshots",)
INDEXES = {"fills": "agent"}


def upgrade() -> None:
    """Add the columns, with the currency of the accounts in every row."""
    found = op.get_bind().exec_driver_sql(CURRENCY).scalar()
    literal = "'" + str(found or DEFAULT_CURRENCY).replace("'", "''") + "'"
    if op.get_bind().dialect.name == "sqlite":
        _sqlite(literal)
    else:
        _postgres(literal)


def _sqlite(literal: str) -> None:
    for table, keys in KEYS.items():
        made = op.get_bind().exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'"
        )
        named = f"CONSTRAINT pk_{table} PRIMARY KEY"
        key, wider = ", ".join(keys), ", ".join(WIDER_KEYS.get(table, keys))
        statement = made.scalar_one().replace(
            f"{named} ({key})", f"currency TEXT NOT NULL, \n\t{named} ({wider})"
        )
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        op.get_bind().exec_driver_sql(statement)
        op.get_bind().exec_driver_sql(
            f"INSERT INTO {table} SELECT *, {literal} FROM {table}_before"
        )
        op.execute(f"DROP TABLE {table}_before")
        _guard_sqlite(table)


def _guard_sqlite(table: str) -> None:
    if table in INDEXES:
        op.execute(f"CREATE INDEX ix_{table}_{INDEXES[table]} ON {table} ({INDEXES[table]})")
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
        )
    keys = WIDER_KEYS.get(table, KEYS[table])
    same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
    then = "RAISE(IGNORE)" if table in FIRST_WINS else f"RAISE(ABORT, '{table}: the row is there')"
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
        f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT {then}; END"
    )


def _postgres(literal: str) -> None:
    """A default fills the column without changing rows, and is then dropped."""
    for table in KEYS:
        added = f"ADD COLUMN currency text DEFAULT {literal} NOT NULL"
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} {added}".replace("%", "%%"))
        op.execute(f"ALTER TABLE {table} ALTER COLUMN currency DROP DEFAULT")
    for table, keys in WIDER_KEYS.items():
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT pk_{table},"
            f" ADD CONSTRAINT pk_{table} PRIMARY KEY ({', '.join(keys)})"
        )
