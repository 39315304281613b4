"""Allow a second record at an offset of `llm.calls` and `agent.turns`.

A log that lost its tail gives the same offsets to other records. Both records happened, so a row's
key is its offset and its id. A record that is read a second time changes nothing. The booked offset
of such a topic may decrease; that of `account.events` never does.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

KEYS = {"llm_usage": "call_id", "agent_logs": "turn_id"}
POSTGRES_FORWARD = """
CREATE OR REPLACE FUNCTION only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.topic = 'account.events' AND NEW.next_offset < OLD.next_offset THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'progress: it never goes back', TABLE = 'progress';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Add the id to the keys of both tables, and let offsets in `progress` decrease."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _sqlite() -> None:
    for table, name in KEYS.items():
        made = op.get_bind().exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'"
        )
        key = "PRIMARY KEY (part, record_offset"
        statement = made.scalar_one().replace(f"{key})", f"{key}, {name})")
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        op.get_bind().exec_driver_sql(statement)
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
        op.execute(f"DROP TABLE {table}_before")
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
            )
        same = " AND ".join(f"{key} = NEW.{key}" for key in ("part", "record_offset", name))
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT RAISE(IGNORE); END"
        )
    op.execute("DROP TRIGGER progress_only_forward")
    op.execute(
        "CREATE TRIGGER progress_only_forward BEFORE UPDATE ON progress"
        " WHEN NEW.next_offset < OLD.next_offset AND OLD.topic = 'account.events'"
        " BEGIN SELECT RAISE(ABORT, 'progress: it never goes back'); END"
    )


def _postgres() -> None:
    for table, name in KEYS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT pk_{table}"
            f" PRIMARY KEY (part, record_offset, {name})"
        )
    op.execute(POSTGRES_FORWARD)
    op.execute("ALTER FUNCTION only_forward() SET search_path FROM CURRENT")
