"""The report's tables as files: `leaderboard.csv`, `fills.csv`, `fills.parquet`, `equity.parquet`.

Amounts of single orders are exact decimal text; series are cash as float64.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arena.bounded_files import read_text_file
from arena.bounded_parquet import open_parquet
from arena.errors import BrokenLog
from arena.money import price_text, units_text
from arena.optional_imports import start_pyarrow
from arena.visible_text import csv_text
from judge.report.csv_rows import entrant_row
from judge.report.facts import Facts
from judge.season import FilledOrder, Season

LEADERBOARD = "leaderboard.csv"
FILLS = "fills.csv"
FILLS_PARQUET = "fills.parquet"
EQUITY = "equity.parquet"
BATCH_ROWS = 8_192
COLUMNS_CHARS_MAX = 300

AMOUNTS = (
    "quantity", "price", "seen_bid", "seen_ask", "bid", "ask", "notional", "fee", "slippage",
    "latency_cost", "realised", "cash_change", "quantity_change", "cost_change",
)  # fmt: skip
PRICES = frozenset(("price", "seen_bid", "seen_ask", "bid", "ask"))
FILL_COLUMNS = (
    "agent", "snapshot", "as_of", "seq", "order_id", "turn_id", "product_id", "side", *AMOUNTS,
    "priced_ms",
)  # fmt: skip
LIFE_COLUMNS = ("order_type", "cause")

Text = Mapping[str, str]


def leaderboard_csv(facts: Facts) -> str:
    """Return one line per entrant, best first; an unknown figure is an empty field."""
    rows = [entrant_row(facts, rank) for rank in range(len(facts.board.rows))]
    if not rows:
        return ""
    return _csv(tuple(rows[0]), ({k: _field(v) for k, v in row.items()} for row in rows))


def fills_csv(season: Season) -> str:
    """Return one line per filled order, by entry and in the order of the account log."""
    rows = (
        {k: v if k in AMOUNTS else csv_text(v) for k, v in r.items()} for r in fill_rows(season)
    )
    return _csv(fill_columns(season), rows)


def fill_columns(season: Season) -> tuple[str, ...]:
    """Return the columns of a fill.

    The type of the order and the cause are there if any order lived; the currency is the last one
    if there are several.
    """
    lived = LIFE_COLUMNS if _any_lived(season) else ()
    return (*FILL_COLUMNS, *lived, *(("currency",) if season.parts else ()))


def fill_rows(season: Season) -> list[dict[str, str]]:
    """Return every fill as text, as in `fills.csv`."""
    lived = _any_lived(season)
    return [
        _fill(entry.name, fill)
        | ({"order_type": fill.order_type, "cause": fill.cause} if lived else {})
        | ({"currency": season.currency_of(fill.product_id)} if season.parts else {})
        for entry, fills in zip(season.entries, season.fills, strict=True)
        for fill in fills
    ]


def fills_table(season: Season) -> pa.Table:
    """Return every fill as a table of text columns."""
    start_pyarrow()
    rows, names = fill_rows(season), fill_columns(season)
    columns = {name: [row[name] or None for row in rows] for name in names}
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in names]))


def equity_table(season: Season) -> pa.Table:
    """Return rows (mark, agent): equity, cash, exposure and the equal-weight market (`hold_usd`).

    Mark t is before the orders on snapshot t; the last one is after every order. With several
    currencies, these are wealth indices (`equity_index`), and `equity_<currency>` has the amounts.
    """
    start_pyarrow()
    marks, entries = season.equity.shape
    names = pa.array(list(season.names) * marks, pa.string())
    unit = "index" if season.parts else "usd"
    return pa.table(
        {
            "mark": pa.array(np.repeat(np.arange(marks, dtype=np.int64), entries)),
            "as_of": pa.array(np.repeat(season.times.astype("datetime64[us]"), entries)),
            "agent": names,
            f"equity_{unit}": pa.array(season.equity.ravel()),
            f"cash_{unit}": pa.array(season.cash.ravel()),
            f"exposure_{unit}": pa.array(season.exposure.sum(axis=2).ravel()),
            f"hold_{unit}": pa.array(np.repeat(season.hold, entries)),
            **{f"equity_{part.currency}": pa.array(part.equity.ravel()) for part in season.parts},
        }
    )


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a zstd Parquet file."""
    pq.write_table(table, path, compression="zstd")


def read_parquet(path: Path, schema: pa.Schema, rows_max: int) -> pa.Table:
    """Read a Parquet file.

    Args:
        path: The file.
        schema: The columns it must have.
        rows_max: Most rows to read; one more is read of a longer file.

    Raises:
        OSError: It cannot be opened.
        ArenaError: It cannot be read, exceeds a limit, or has other columns.
    """
    with open_parquet(path) as file:
        if not file.schema.equals(schema):
            named = ", ".join(file.schema.names)[:COLUMNS_CHARS_MAX]
            raise BrokenLog(f"{path.name} has other columns: {named}")
        batches, rows = [], 0
        for batch in file.batches(schema.names, BATCH_ROWS):
            batches.append(batch)
            rows += batch.num_rows
            if rows > rows_max:
                break
    return pa.Table.from_batches(batches, schema).slice(0, rows_max + 1)


def read_csv(path: Path, bytes_max: int, rows_max: int) -> list[dict[str, str]]:
    """Return the rows of a CSV file as text; of a longer file one more than `rows_max`.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is not UTF-8.
        NotReadable: It is not a regular file, or too large.
        csv.Error: A field is too long.
    """
    return parse_csv(read_text_file(path, bytes_max), rows_max)


def parse_csv(text: str, rows_max: int | None = None) -> list[dict[str, str]]:
    """Return the rows of a CSV text."""
    rows = csv.DictReader(io.StringIO(text))
    taken = rows if rows_max is None else islice(rows, rows_max + 1)
    return [{str(k): str(v) for k, v in row.items()} for row in taken]


def _any_lived(season: Season) -> bool:
    return any(f.cause or f.order_type != "market" for own in season.fills for f in own)


def _fill(agent: str, fill: FilledOrder) -> dict[str, str]:
    amounts = {name: getattr(fill, name) for name in AMOUNTS}
    texts = {n: price_text if n in PRICES else units_text for n in AMOUNTS}
    return {
        "agent": agent,
        "snapshot": str(fill.index),
        "as_of": fill.as_of.isoformat(),
        "seq": str(fill.seq),
        "order_id": fill.order_id,
        "turn_id": fill.turn_id,
        "product_id": fill.product_id,
        "side": fill.side,
        **{name: "" if units is None else texts[name](units) for name, units in amounts.items()},
        "priced_ms": str(fill.priced_ms),
    }


def _field(value: float | int | str | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else csv_text(str(value))


def _csv(columns: Sequence[str], rows: Iterable[Text]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
