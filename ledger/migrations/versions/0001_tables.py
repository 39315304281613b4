"""The tables of the books."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None

TEXT, INT, BLOB = sa.Text(), sa.Integer(), sa.LargeBinary()
BIG = sa.BigInteger().with_variant(INT, "sqlite")
SMALL = sa.SmallInteger().with_variant(INT, "sqlite")
DIGITS = sa.Numeric().with_variant(TEXT, "sqlite")


def upgrade() -> None:
    """Create the tables and their indexes."""
    _accounts_and_journal()
    _trading()
    _agents()
    _state()


def _table(name: str, *parts: SchemaItem, rowid: bool = False) -> None:
    op.create_table(name, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


def _accounts_and_journal() -> None:
    _table(
        "accounts",
        sa.Column("account_id", INT, autoincrement=False, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("unit", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
        sa.UniqueConstraint("name", "unit", name="uq_accounts_name_unit"),
        rowid=True,
    )
    _table(
        "journal",
        sa.Column("shard", INT, nullable=False),
        sa.Column("log_offset", BIG, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("order_id", TEXT, nullable=True),
        sa.Column("agent", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("command_offset", BIG, nullable=True),
        sa.Column("legs", SMALL, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("head", BLOB, nullable=False),
        sa.CheckConstraint("legs >= 0", name="ck_journal_legs"),
        sa.CheckConstraint("length(head) = 32", name="ck_journal_head"),
        sa.PrimaryKeyConstraint("shard", "log_offset", name="pk_journal"),
        sa.UniqueConstraint("shard", "log_offset", "legs", name="uq_journal_shard_log_offset_legs"),
    )
    op.create_index("ix_journal_order_id", "journal", ["order_id"], unique=False)
    _table(
        "entries",
        sa.Column("shard", INT, nullable=False),
        sa.Column("log_offset", BIG, nullable=False),
        sa.Column("leg", SMALL, nullable=False),
        sa.Column("legs", SMALL, nullable=False),
        sa.Column("account_id", INT, nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.CheckConstraint("leg >= 0 AND leg < legs", name="ck_entries_leg"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_entries_accounts"
        ),
        sa.ForeignKeyConstraint(
            ["shard", "log_offset", "legs"],
            ["journal.shard", "journal.log_offset", "journal.legs"],
            name="fk_entries_journal",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("shard", "log_offset", "leg", name="pk_entries"),
    )
    op.create_index("ix_entries_account_id", "entries", ["account_id"], unique=False)


def _trading() -> None:
    _table(
        "fills",
        sa.Column("shard", INT, nullable=False),
        sa.Column("log_offset", BIG, nullable=False),
        sa.Column("order_id", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("turn_id", TEXT, nullable=False),
        sa.Column("snapshot_id", TEXT, nullable=False),
        sa.Column("product_id", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("quantity", BIG, nullable=False),
        sa.Column("price", BIG, nullable=False),
        sa.Column("notional", BIG, nullable=False),
        sa.Column("fee", BIG, nullable=False),
        sa.Column("slippage", BIG, nullable=False),
        sa.Column("latency_cost", BIG, nullable=False),
        sa.Column("realised", BIG, nullable=True),
        sa.Column("scraped", BIG, nullable=False),
        sa.Column("cash_after", BIG, nullable=False),
        sa.Column("position_after", BIG, nullable=False),
        sa.Column("ticker_partition", INT, nullable=False),
        sa.Column("ticker_offset", BIG, nullable=False),
        sa.Column("priced_at_us", BIG, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["shard", "log_offset"],
            ["journal.shard", "journal.log_offset"],
            name="fk_fills_journal",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("shard", "log_offset", name="pk_fills"),
    )
    op.create_index("ix_fills_agent", "fills", ["agent"], unique=False)
    _table(
        "positions",
        sa.Column("shard", INT, nullable=False),
        sa.Column("log_offset", BIG, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("product_id", TEXT, nullable=False),
        sa.Column("quantity", BIG, nullable=False),
        sa.Column("cost", BIG, nullable=False),
        sa.Column("entry_ms", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["shard", "log_offset"],
            ["journal.shard", "journal.log_offset"],
            name="fk_positions_journal",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("shard", "log_offset", name="pk_positions"),
    )
    # ### end Alembic commands ###
    _table(
        "equity_snapshots",
        sa.Column("snapshot_id", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("venue", TEXT, nullable=False),
        sa.Column("as_of_us", BIG, nullable=False),
        sa.Column("log_offset", BIG, nullable=False),
        sa.Column("cash", BIG, nullable=False),
        sa.Column("scraped", BIG, nullable=False),
        sa.Column("equity", BIG, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "agent", name="pk_equity_snapshots"),
    )


def _agents() -> None:
    _table(
        "llm_usage",
        sa.Column("part", INT, nullable=False),
        sa.Column("record_offset", BIG, nullable=False),
        sa.Column("call_id", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("turn_id", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("request_sha256", TEXT, nullable=False),
        sa.Column("round", INT, nullable=False),
        sa.Column("scripted", SMALL, nullable=False),
        sa.Column("replayed", SMALL, nullable=False),
        sa.Column("prompt_tokens", BIG, nullable=False),
        sa.Column("completion_tokens", BIG, nullable=False),
        sa.Column("reasoning_tokens", BIG, nullable=False),
        sa.Column("cached_tokens", BIG, nullable=False),
        sa.Column("cost", BIG, nullable=True),
        sa.Column("attempts", INT, nullable=False),
        sa.Column("latency_us", BIG, nullable=False),
        sa.Column("started_at_us", BIG, nullable=False),
        sa.Column("ended_at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("part", "record_offset", name="pk_llm_usage"),
    )
    _table(
        "agent_logs",
        sa.Column("part", INT, nullable=False),
        sa.Column("record_offset", BIG, nullable=False),
        sa.Column("turn_id", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("strategy", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("snapshot_id", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("prompt_sha256", TEXT, nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("final_text", TEXT, nullable=False),
        sa.Column("memory", TEXT, nullable=False),
        sa.Column("skipped_snapshots", INT, nullable=False),
        sa.Column("as_of_us", BIG, nullable=False),
        sa.Column("started_at_us", BIG, nullable=False),
        sa.Column("ended_at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("part", "record_offset", name="pk_agent_logs"),
    )
    _table(
        "candles",
        sa.Column("venue", TEXT, nullable=False),
        sa.Column("product_id", TEXT, nullable=False),
        sa.Column("granularity_s", INT, nullable=False),
        sa.Column("start_us", BIG, nullable=False),
        sa.Column("open", DIGITS, nullable=False),
        sa.Column("high", DIGITS, nullable=False),
        sa.Column("low", DIGITS, nullable=False),
        sa.Column("close", DIGITS, nullable=False),
        sa.Column("volume", DIGITS, nullable=False),
        sa.PrimaryKeyConstraint(
            "venue", "product_id", "granularity_s", "start_us", name="pk_candles"
        ),
    )


def _state() -> None:
    _table(
        "progress",
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("part", INT, nullable=False),
        sa.Column("next_offset", BIG, nullable=False),
        sa.Column("head_offset", BIG, nullable=False),
        sa.Column("head", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("topic", "part", name="pk_progress"),
    )
    _table(
        "folds",
        sa.Column("shard", INT, autoincrement=False, nullable=False),
        sa.Column("next_offset", BIG, nullable=False),
        sa.Column("packed", BLOB, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_folds"),
        rowid=True,
    )
