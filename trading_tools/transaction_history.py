"""Lists an agent's newest fills. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue

from arena.money import units_text
from arena.trade_history import FILLS_REMEMBERED, TradeRow
from trading_tools.account_records import AccountRecords
from trading_tools.arguments import quoted
from trading_tools.context import Answer
from trading_tools.order_arguments import read_seconds
from trading_tools.portfolio import cash_text
from trading_tools.portfolio_orders import ORDER_NAMES, percent_of

LIMIT_MAX = FILLS_REMEMBERED


def listed_history(records: AccountRecords, since: str | None, limit: int) -> Answer:
    """The answer of `get_transaction_history`.

    Args:
        records: The account.
        since: A venue time in ISO 8601, or a time such as "1h" before now; None for no limit.
        limit: Most fills, the newest.
    """
    if not 1 <= limit <= LIMIT_MAX:
        return Answer(f"limit was {limit}; give 1 to {LIMIT_MAX}.", error="bad_limit")
    try:
        begin = _begin(since, records.venue_at)
    except ValueError:
        remedy = 'give a time such as "1h", or a venue time such as "2026-11-30T09:00:00Z"'
        return Answer(f"since was {quoted(since)}; {remedy}.", error="bad_since")
    found = [row for row in records.history if begin is None or at_of(row) >= begin]
    rows = found[-limit:]
    value: JsonValue = {"fills": [_value(row) for row in rows], "more": len(found) - len(rows)}
    return Answer("\n".join(_lines(records, rows, len(found), begin)), value)


def at_of(row: TradeRow) -> datetime:
    """Venue time of a fill."""
    return datetime.fromisoformat(row.at)


def _begin(since: str | None, now: datetime) -> datetime | None:
    if since is None:
        return None
    try:
        seconds = read_seconds(since)
    except ValueError:
        begin = datetime.fromisoformat(since.strip())
        return begin if begin.tzinfo is not None else begin.replace(tzinfo=now.tzinfo)
    assert seconds is not None, "a text is a time"
    return now - timedelta(seconds=seconds)


def _lines(
    records: AccountRecords, rows: Sequence[TradeRow], count: int, begin: datetime | None
) -> list[str]:
    if not rows:
        return ["No fills." if begin is None else f"No fills since {begin:%Y-%m-%d %H:%M:%S}."]
    lines = [f"{len(rows)} fills, oldest first (venue time, UTC):"]
    if count > len(rows):
        lines[0] = f"The newest {len(rows)} of {count} fills, oldest first (venue time, UTC):"
    return lines + [f"- {_text(row, records.unit(row.currency))}" for row in rows]


def _text(row: TradeRow, unit: str) -> str:
    buy = row.action == "buy"
    done = f"{at_of(row):%m-%d %H:%M:%S} {'bought' if buy else 'sold'} {row.quantity}"
    text = f"{done} {row.product_id} at {row.price}, fee {row.fee}"
    if not buy:
        gain = cash_text(row.realised, unit, signed=True)
        text += f", realised {gain} {unit} ({_percent(row):+} %)"
    by = "" if row.order_type == "market" else f", by a {ORDER_NAMES[row.order_type]}"
    return f"{text}{by or _cause(row)}"


def _cause(row: TradeRow) -> str:
    return f", {row.cause.replace(':', ' by ')}" if row.cause else ""


def _percent(row: TradeRow) -> object:
    return percent_of(row.realised * 10**8 // row.sold_cost if row.sold_cost else 0)


def _value(row: TradeRow) -> JsonValue:
    found: dict[str, JsonValue] = {
        "at": row.at,
        "order_id": row.order_id,
        "product_id": row.product_id,
        "action": row.action,
        "quantity": row.quantity,
        "price": row.price,
        "fee": row.fee,
    }
    if row.action == "sell":
        found["realised"] = units_text(row.realised)
        found["realised_pct"] = str(_percent(row))
    if row.order_type != "market":
        found["order_type"] = row.order_type
    if row.cause:
        found["cause"] = row.cause
    if row.currency:
        found["currency"] = row.currency
    return found
