"""Amounts of any size: two columns each, whole units and the rest in 10^-8; prices as digits.

A column of units of 10^-8 ended at 92 billion, and a price at eight decimals. Every row is carried
over: an amount `a` becomes `a_whole`, rounded towards minus infinity, and `a_e8` from 0 to
99,999,999; the price of a fill becomes its decimal digits. The triggers that refuse changes are
those of revisions 0002 and 0003.
"""

import re
from collections.abc import Iterator

from alembic import op

revision = "0004"
down_revision = "0003"

SCALE = 100_000_000
AMOUNTS = {
    "entries": ("amount",),
    "fills": (
        *("quantity", "notional", "fee", "slippage", "latency_cost", "realised"),
        *("scraped", "cash_after", "position_after"),
    ),
    "positions": ("quantity", "cost"),
    "equity_snapshots": ("cash", "scraped", "equity"),
    "llm_usage": ("cost",),
}
NULLABLE = {("fills", "realised"), ("llm_usage", "cost")}
KEYS = {
    "entries": ("shard", "log_offset", "leg"),
    "fills": ("shard", "log_offset"),
    "positions": ("shard", "log_offset"),
    "equity_snapshots": ("snapshot_id", "agent"),
    "llm_usage": ("part", "record_offset", "call_id"),
}
FIRST_WINS = ("equity_snapshots", "llm_usage")
INDEXES = {"entries": "account_id", "fills": "agent"}
SQLITE_PRICE = (
    f"(price / {SCALE}) || CASE price % {SCALE} WHEN 0 THEN ''"
    f" ELSE '.' || rtrim(printf('%08d', price % {SCALE}), '0') END"
)
SUMS_TO_ZERO = f"sum(amount_whole) * {SCALE} + sum(amount_e8)"
SQLITE_JOURNAL = f"""
CREATE TRIGGER journal_balances BEFORE INSERT ON journal BEGIN
  SELECT RAISE(ABORT, 'journal: not exactly its entries are there') WHERE NEW.legs <> (
    SELECT count(*) FROM entries WHERE shard = NEW.shard AND log_offset = NEW.log_offset);
  SELECT RAISE(ABORT, 'journal: its entries do not sum to zero') WHERE EXISTS (
    SELECT 1 FROM entries JOIN accounts USING (account_id)
    WHERE shard = NEW.shard AND log_offset = NEW.log_offset
    GROUP BY unit HAVING {SUMS_TO_ZERO} <> 0);
END
"""
POSTGRES_JOURNAL = f"""
CREATE OR REPLACE FUNCTION journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.legs <> (
    SELECT count(*) FROM entries WHERE shard = NEW.shard AND log_offset = NEW.log_offset
  ) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'journal: not exactly its entries are there', TABLE = 'journal';
  END IF;
  IF EXISTS (
    SELECT 1 FROM entries JOIN accounts USING (account_id)
    WHERE shard = NEW.shard AND log_offset = NEW.log_offset
    GROUP BY unit HAVING {SUMS_TO_ZERO} <> 0
  ) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'journal: its entries do not sum to zero', TABLE = 'journal';
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Move every amount to its two columns."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _rest(name: str) -> str:
    """What is left of an amount above its whole units; never negative, on either engine."""
    return f"(({name} % {SCALE} + {SCALE}) % {SCALE})"


def _whole(name: str) -> str:
    return f"(({name} - {_rest(name)}) / {SCALE})"


def _checks(table: str, name: str) -> str:
    return f"CONSTRAINT ck_{table}_{name}_e8 CHECK ({name}_e8 BETWEEN 0 AND {SCALE - 1})"


def _sqlite() -> None:
    op.execute("DROP TRIGGER journal_balances")
    for table, names in AMOUNTS.items():
        made = op.get_bind().exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'"
        )
        statement = made.scalar_one()
        for name in names:
            null = "" if (table, name) in NULLABLE else " NOT NULL"
            pair = f"{name}_whole INTEGER{null}, {name}_e8 INTEGER{null} {_checks(table, name)}"
            statement = re.sub(rf"\b{name} INTEGER( NOT NULL)?", pair, statement, count=1)
        statement = statement.replace("\tprice INTEGER", "\tprice TEXT")
        old = [row[1] for row in op.get_bind().exec_driver_sql(f"PRAGMA table_info({table})")]
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        op.get_bind().exec_driver_sql(statement)
        carried = ", ".join(_carried(old, names))
        op.get_bind().exec_driver_sql(f"INSERT INTO {table} SELECT {carried} FROM {table}_before")
        op.execute(f"DROP TABLE {table}_before")
        _guard_sqlite(table)
    op.execute(SQLITE_JOURNAL)


def _carried(columns: list[str], amounts: tuple[str, ...]) -> Iterator[str]:
    """The values of the new columns, in their order, from the old row."""
    for column in columns:
        if column in amounts:
            yield _whole(column)
            yield _rest(column)
        elif column == "price":
            yield SQLITE_PRICE
        else:
            yield column


def _guard_sqlite(table: str) -> None:
    if table in INDEXES:
        op.execute(f"CREATE INDEX ix_{table}_{INDEXES[table]} ON {table} ({INDEXES[table]})")
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
        )
    same = " AND ".join(f"{key} = NEW.{key}" for key in KEYS[table])
    then = "RAISE(IGNORE)" if table in FIRST_WINS else f"RAISE(ABORT, '{table}: the row is there')"
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
        f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT {then}; END"
    )


def _postgres() -> None:
    """Rows are never updated, so the new columns are generated from the old, and then kept."""
    for table, names in AMOUNTS.items():
        added = ", ".join(
            f"ADD COLUMN {name}_whole bigint GENERATED ALWAYS AS {_stored(_whole(name))},"
            f" ADD COLUMN {name}_e8 integer GENERATED ALWAYS AS {_stored(_rest(name))}"
            for name in names
        )
        op.execute(f"ALTER TABLE {table} {added}")
        kept = [
            f"ALTER COLUMN {name}_{part} {action}"
            for name in names
            for part in ("whole", "e8")
            for action in ("DROP EXPRESSION", "SET NOT NULL")
            if action != "SET NOT NULL" or (table, name) not in NULLABLE
        ]
        op.execute(f"ALTER TABLE {table} {', '.join(kept)}")
        bounds = [f"ADD {_checks(table, name)}, DROP COLUMN {name}" for name in names]
        op.execute(f"ALTER TABLE {table} {', '.join(bounds)}")
    op.execute(
        "ALTER TABLE fills ALTER COLUMN price TYPE numeric USING trim_scale(price * 0.00000001)"
    )
    op.execute(POSTGRES_JOURNAL)
    op.execute("ALTER FUNCTION journal_balances() SET search_path FROM CURRENT")


def _stored(expression: str) -> str:
    return f"({expression}) STORED"
