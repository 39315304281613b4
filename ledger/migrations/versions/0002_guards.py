"""What the database refuses: changes, gaps and journals that do not balance.

On both engines, rows of the append-only tables are never updated, deleted or replaced by an insert;
offsets in `progress` never decrease; a journal row needs all of its entries, and they sum to zero
per unit. The keys enforce the rest: an entry without a journal row fails the commit, and a journal
row has only `legs` places for entries.

SQLite checks a journal row when it is inserted, so its entries come first. PostgreSQL checks it at
the commit. A runtime role of PostgreSQL may add rows and nothing else.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

KEYS = {
    "accounts": ("account_id",),
    "journal": ("shard", "log_offset"),
    "entries": ("shard", "log_offset", "leg"),
    "fills": ("shard", "log_offset"),
    "positions": ("shard", "log_offset"),
    "equity_snapshots": ("snapshot_id", "agent"),
    "llm_usage": ("part", "record_offset"),
    "agent_logs": ("part", "record_offset"),
    "candles": ("venue", "product_id", "granularity_s", "start_us"),
}
WRITER, READER = "arena_ledger_writer", "arena_ledger_reader"

SQLITE_JOURNAL = """
CREATE TRIGGER journal_balances BEFORE INSERT ON journal BEGIN
  SELECT RAISE(ABORT, 'journal: not exactly its entries are there') WHERE NEW.legs <> (
    SELECT count(*) FROM entries WHERE shard = NEW.shard AND log_offset = NEW.log_offset);
  SELECT RAISE(ABORT, 'journal: its entries do not sum to zero') WHERE EXISTS (
    SELECT 1 FROM entries JOIN accounts USING (account_id)
    WHERE shard = NEW.shard AND log_offset = NEW.log_offset
    GROUP BY unit HAVING sum(amount) <> 0);
END
"""
POSTGRES_JOURNAL = """
CREATE FUNCTION journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
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
    GROUP BY unit HAVING sum(amount) <> 0
  ) THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'journal: its entries do not sum to zero', TABLE = 'journal';
  END IF;
  RETURN NULL;
END $$
"""
POSTGRES_REFUSE = """
CREATE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE integrity_constraint_violation USING
    MESSAGE = format('%s: rows are never changed', TG_TABLE_NAME), TABLE = TG_TABLE_NAME;
END $$
"""
POSTGRES_FORWARD = """
CREATE FUNCTION only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.next_offset < OLD.next_offset THEN
    RAISE integrity_constraint_violation USING
      MESSAGE = 'progress: it never goes back', TABLE = 'progress';
  END IF;
  RETURN NEW;
END $$
"""
POSTGRES_ROLES = f"""
DO $$
DECLARE
  here text := current_schema();
  made text;
BEGIN
  FOREACH made IN ARRAY ARRAY['{WRITER}', '{READER}'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = made) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', made);
        EXECUTE format('GRANT %I TO %I', made, current_user);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
          RAISE NOTICE 'role % is not made: % may not', made, current_user;
          RETURN;
      END;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', here, made);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', here, made);
  END LOOP;
  EXECUTE format('GRANT INSERT ON ALL TABLES IN SCHEMA %I TO {WRITER}', here);
  EXECUTE format('REVOKE INSERT ON %I.alembic_version FROM {WRITER}', here);
  EXECUTE format('GRANT UPDATE ON %I.progress, %I.folds TO {WRITER}', here, here);
END $$
"""


def upgrade() -> None:
    """Create the triggers, and on PostgreSQL the roles."""
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgres()


def _guard_sqlite() -> None:
    for table, keys in KEYS.items():
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table}: rows are never changed'); END"
            )
        same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
        if table == "accounts":
            same += " OR (name = NEW.name AND unit = NEW.unit)"
        # INSERT OR REPLACE deletes without firing the trigger above; this one comes before it.
        first_wins = table in ("candles", "equity_snapshots")
        then = "RAISE(IGNORE)" if first_wins else f"RAISE(ABORT, '{table}: the row is there')"
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT {then}; END"
        )
    op.execute(SQLITE_JOURNAL)
    op.execute(
        "CREATE TRIGGER progress_only_forward BEFORE UPDATE ON progress"
        " WHEN NEW.next_offset < OLD.next_offset"
        " BEGIN SELECT RAISE(ABORT, 'progress: it never goes back'); END"
    )
    op.execute(
        "CREATE TRIGGER progress_no_delete BEFORE DELETE ON progress"
        " BEGIN SELECT RAISE(ABORT, 'progress: rows are never deleted'); END"
    )


def _guard_postgres() -> None:
    for function in (POSTGRES_JOURNAL, POSTGRES_REFUSE, POSTGRES_FORWARD):
        op.execute(function)
    for name in ("journal_balances", "never_changed", "only_forward"):
        op.execute(f"ALTER FUNCTION {name}() SET search_path FROM CURRENT")
    for table in KEYS:
        op.execute(
            f"CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION never_changed()"
        )
    for table in (*KEYS, "progress"):
        op.execute(
            f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION never_changed()"
        )
    op.execute(
        "CREATE TRIGGER no_delete BEFORE DELETE ON progress"
        " FOR EACH ROW EXECUTE FUNCTION never_changed()"
    )
    op.execute(
        "CREATE TRIGGER only_forward BEFORE UPDATE ON progress"
        " FOR EACH ROW EXECUTE FUNCTION only_forward()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER journal_balances AFTER INSERT ON journal"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_balances()"
    )
    op.execute(POSTGRES_ROLES)
