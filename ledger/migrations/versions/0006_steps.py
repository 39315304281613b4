"""Give journal rows the step, type and cause of a limit order or an exit.

An order in older books has one row, that of a market order, so the columns are empty there.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

COLUMNS = {
    "step": ("smallint", "INTEGER", "0"),
    "order_type": ("text", "TEXT", "''"),
    "cause": ("text", "TEXT", "''"),
}


def upgrade() -> None:
    """Add the columns; PostgreSQL drops the defaults, SQLite cannot."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (of_postgres, of_sqlite, default) in COLUMNS.items():
        kind = of_sqlite if sqlite else of_postgres
        op.execute(f"ALTER TABLE journal ADD COLUMN {name} {kind} DEFAULT {default} NOT NULL")
        if not sqlite:
            op.execute(f"ALTER TABLE journal ALTER COLUMN {name} DROP DEFAULT")
