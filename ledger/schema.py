"""The tables of the books, the same on SQLite and PostgreSQL.

An amount has two columns of whole numbers, `<name>_whole` units and `<name>_e8`, the rest in 10^-8
(`ledger.amounts`), so it holds 9.2 * 10^18 of a unit; a larger amount is refused before it is
written. Sums are exact on both engines. Prices and candles keep their digits: NUMERIC on
PostgreSQL, decimal text on SQLite, because a price may have eighteen decimals and a volume may be
any number. No column is a float. Times are microseconds since 1970, UTC.

Rows of these tables are only added; triggers refuse every other change. Only `progress` and
`folds`, which say how far the topics are booked, are updated.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from ledger.amounts import amount_columns

BIG = BigInteger().with_variant(Integer(), "sqlite")
SMALL = SmallInteger().with_variant(Integer(), "sqlite")
DIGITS = Numeric().with_variant(Text(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *parts: SchemaItem, rowid: bool = False) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _bigs(*names: str) -> list[Column[int]]:
    return [Column(name, BIG, nullable=False) for name in names]


def _amounts(*names: str, nullable: bool = False) -> list[SchemaItem]:
    return list(amount_columns(BIG, *names, nullable=nullable))


def _offset_key(*names: str) -> list[SchemaItem]:
    """Return partition and offset as the key of a row, optionally with an id."""
    return [
        Column(names[0], Integer, nullable=False),
        Column(names[1], BIG, nullable=False),
        *_texts(*names[2:]),
        PrimaryKeyConstraint(*names),
    ]


def _journal_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["shard", "log_offset"],
        ["journal.shard", "journal.log_offset"],
        deferrable=True,
        initially="DEFERRED",
    )


accounts = _table(
    "accounts",
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    *_texts("name", "unit", "kind"),
    Column("agent", Text),
    UniqueConstraint("name", "unit"),
    rowid=True,
)
"""Accounts: a name and a unit. `kind` is the last part of the name; `agent` is the owner, NULL for
the house."""

journal = _table(
    "journal",
    *_offset_key("shard", "log_offset"),
    *_texts("kind"),
    *_bigs("epoch", "seq"),
    Column("order_id", Text),
    Column("agent", Text),
    Column("reason", Text),
    Column("command_offset", BIG),
    Column("legs", SMALL, nullable=False),
    *_bigs("at_us"),
    Column("head", LargeBinary, nullable=False),
    Column("step", SMALL, nullable=False),
    *_texts("order_type", "cause"),
    UniqueConstraint("shard", "log_offset", "legs"),
    CheckConstraint("legs >= 0", name="legs"),
    CheckConstraint("length(head) = 32", name="head"),
)
"""One row per event of `account.events` that counted. `kind` is epoch, digest, checked, opened,
limits_set, tripped, or the outcome of a step of an order: limit orders and exits have several.
`legs` is the number of its entries; `head` is the digest of the chain after it; `order_type` is ""
for a market order, `cause` says why the executor took a step that no command asked for."""

entries = _table(
    "entries",
    Column("shard", Integer, nullable=False),
    Column("log_offset", BIG, nullable=False),
    Column("leg", SMALL, nullable=False),
    Column("legs", SMALL, nullable=False),
    Column("account_id", Integer, ForeignKey("accounts.account_id"), nullable=False),
    *_amounts("amount"),
    PrimaryKeyConstraint("shard", "log_offset", "leg"),
    ForeignKeyConstraint(
        ["shard", "log_offset", "legs"],
        ["journal.shard", "journal.log_offset", "journal.legs"],
        deferrable=True,
        initially="DEFERRED",
    ),
    CheckConstraint("leg >= 0 AND leg < legs", name="leg"),
)
"""One leg of a journal row. The keys allow exactly `legs` entries per journal row, so none can be
added to a complete one, in this transaction or a later one."""

fills = _table(
    "fills",
    *_offset_key("shard", "log_offset"),
    *_texts("order_id", "agent", "turn_id", "snapshot_id", "product_id", "action"),
    *_amounts("quantity"),
    Column("price", DIGITS, nullable=False),
    *_amounts("notional", "fee", "slippage", "latency_cost"),
    *_amounts("realised", nullable=True),
    *_amounts("scraped", "cash_after", "position_after"),
    Column("ticker_partition", Integer, nullable=False),
    *_bigs("ticker_offset", "priced_at_us", "at_us"),
    *_texts("currency"),
    _journal_key(),
)
"""One row per fill; an order that fills in parts has several. `realised` is NULL for a buy;
`scraped` is the profit that was set aside. All amounts but `quantity` and `position_after` are in
`currency`."""

positions = _table(
    "positions",
    *_offset_key("shard", "log_offset"),
    *_texts("agent", "product_id"),
    *_amounts("quantity", "cost"),
    *_bigs("entry_ms"),
    _journal_key(),
)
"""The position of an agent in a product after each fill; the newest row is the present one. `cost`
is in the currency of the fill with the same key."""

equity_snapshots = _table(
    "equity_snapshots",
    *_texts("snapshot_id", "agent", "venue"),
    *_bigs("as_of_us", "log_offset"),
    *_amounts("cash", "scraped", "equity"),
    *_texts("currency"),
    PrimaryKeyConstraint("snapshot_id", "agent", "currency"),
)
"""Each account valued at the bids of each snapshot, with the account log folded to `log_offset`. An
agent has one row per currency, with its cash and the positions that are settled in it."""

llm_usage = _table(
    "llm_usage",
    *_offset_key("part", "record_offset", "call_id"),
    *_texts("agent", "turn_id", "node", "model", "outcome", "request_sha256"),
    Column("round", Integer, nullable=False),
    Column("scripted", SMALL, nullable=False),
    Column("replayed", SMALL, nullable=False),
    *_bigs("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens"),
    *_amounts("cost", nullable=True),
    Column("attempts", Integer, nullable=False),
    *_bigs("latency_us", "started_at_us", "ended_at_us"),
)
"""One row per record of `llm.calls`. `cost` is USD, half to even at 10^-8; NULL if unknown.
The id is part of the key, because a log that lost its tail reuses offsets."""

agent_logs = _table(
    "agent_logs",
    *_offset_key("part", "record_offset", "turn_id"),
    *_texts("agent", "strategy", "node", "model", "snapshot_id", "outcome"),
    *_texts("prompt_sha256", "error", "final_text", "memory"),
    Column("skipped_snapshots", Integer, nullable=False),
    *_bigs("as_of_us", "started_at_us", "ended_at_us"),
)
"""One row per `Turn` of `agent.turns`, with a key like that of `llm_usage`."""

candles = _table(
    "candles",
    *_texts("venue", "product_id"),
    Column("granularity_s", Integer, nullable=False),
    *_bigs("start_us"),
    *(Column(name, DIGITS, nullable=False) for name in ("open", "high", "low", "close", "volume")),
    PrimaryKeyConstraint("venue", "product_id", "granularity_s", "start_us"),
)
"""Every closed candle that a snapshot contained or `arena ledger candles import` added, once."""

progress = _table(
    "progress",
    Column("topic", Text, nullable=False),
    Column("part", Integer, nullable=False),
    *_bigs("next_offset"),
    Column("head_offset", BIG, nullable=False),
    Column("head", Text, nullable=False),
    PrimaryKeyConstraint("topic", "part"),
)
"""The booked offset of each partition. For `account.events`: the last event that counted, and the
digest of the chain there. For other topics: the last record and its SHA-256, -1 and "" if unknown;
their offset goes back if the log was truncated."""

folds = _table(
    "folds",
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BIG, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    rowid=True,
)
"""The fold of a shard as `arena.checkpoint` packs it; it shortens the next start."""

Index(None, journal.c.order_id)
Index(None, fills.c.agent)
Index(None, entries.c.account_id)

APPEND_ONLY = (
    accounts,
    entries,
    journal,
    fills,
    positions,
    equity_snapshots,
    llm_usage,
    agent_logs,
    candles,
)
"""The tables whose rows never change, in the order in which they are written."""

FIRST_WINS = (candles, equity_snapshots, llm_usage, agent_logs)
"""Append-only tables in which an existing row wins: two snapshots may contain the same candle, and
a truncated topic is read again."""
