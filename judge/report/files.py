"""The report's tables as files: `leaderboard.csv`, `fills.csv`, `fills.parquet`, `equity.parquet`.

Amounts of single orders are exact decimal text; series are USD as float64.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arena.money import units_text
from judge.report.facts import Facts, leaderboard_row
from judge.season import Fill, Season

LEADERBOARD = "leaderboard.csv"
FILLS = "fills.csv"
FILLS_PARQUET = "fills.parquet"
EQUITY = "equity.parquet"

AMOUNTS = (
    "quantity", "price", "seen_bid", "seen_ask", "bid", "ask", "notional", "fee", "slippage",
    "latency_cost", "realised", "cash_change", "quantity_change", "cost_change",
)  # fmt: skip
FILL_COLUMNS = (
    "agent", "snapshot", "as_of", "seq", "order_id", "turn_id", "product_id", "side", *AMOUNTS,
    "priced_ms",
)  # fmt: skip

Text = Mapping[str, str]


def leaderboard_csv(facts: Facts) -> str:
    """One line an entry, best first; an unknown figure is an empty field."""
    rows = [leaderboard_row(facts, place) for place in facts.order]
    if not rows:
        return ""
    return _csv(tuple(rows[0]), ({k: _field(v) for k, v in row.items()} for row in rows))


def fills_csv(season: Season) -> str:
    """One line a filled order, by entry and in the order of the account log."""
    return _csv(FILL_COLUMNS, fill_rows(season))


def fill_rows(season: Season) -> list[dict[str, str]]:
    """Every fill as text, as it stands in `fills.csv`."""
    return [
        _fill(entry.name, fill)
        for entry, fills in zip(season.entries, season.fills, strict=True)
        for fill in fills
    ]


def fills_table(season: Season) -> pa.Table:
    """The same rows as text columns."""
    rows = fill_rows(season)
    columns = {name: [row[name] or None for row in rows] for name in FILL_COLUMNS}
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in FILL_COLUMNS]))


def equity_table(season: Season) -> pa.Table:
    """Rows (mark, agent): equity, cash and exposure, and the buy-and-hold at that mark.

    Mark t is before the orders on snapshot t; the last one is after every order.
    """
    marks, entries = season.equity.shape
    names = pa.array(list(season.names) * marks, pa.string())
    return pa.table(
        {
            "mark": pa.array(np.repeat(np.arange(marks, dtype=np.int64), entries)),
            "as_of": pa.array(np.repeat(season.times.astype("datetime64[us]"), entries)),
            "agent": names,
            "equity_usd": pa.array(season.equity.ravel()),
            "cash_usd": pa.array(season.cash.ravel()),
            "exposure_usd": pa.array(season.exposure.sum(axis=2).ravel()),
            "hold_usd": pa.array(np.repeat(season.hold, entries)),
        }
    )


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one zstd Parquet file."""
    pq.write_table(table, path, compression="zstd")


def read_parquet(path: Path) -> pa.Table:
    """Read it back.

    Raises:
        OSError, pa.ArrowException: It cannot be read.
    """
    return pq.read_table(path)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text."""
    return parse_csv(path.read_text(encoding="utf-8"))


def parse_csv(text: str) -> list[dict[str, str]]:
    """The rows of CSV as text."""
    return [{str(k): str(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _fill(agent: str, fill: Fill) -> dict[str, str]:
    amounts = {name: getattr(fill, name) for name in AMOUNTS}
    return {
        "agent": agent,
        "snapshot": str(fill.index),
        "as_of": fill.as_of.isoformat(),
        "seq": str(fill.seq),
        "order_id": fill.order_id,
        "turn_id": fill.turn_id,
        "product_id": fill.product_id,
        "side": fill.side,
        **{name: "" if units is None else units_text(units) for name, units in amounts.items()},
        "priced_ms": str(fill.priced_ms),
    }


def _field(value: float | int | str | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _csv(columns: Sequence[str], rows: Iterable[Text]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
