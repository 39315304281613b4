"""Queries the books: balances, journal, trial balance, an agent's statement, fills.

Reads only the database. Amounts are whole units of 10^-8 until they are shown; in the tables each
has two columns (`ledger.amounts`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, select

from arena.accounts import CAPITAL
from arena.currency import DEFAULT_CURRENCY
from arena.money import SCALE
from ledger.amounts import field_widths, join_amounts, pair, sum_columns, total
from ledger.batch import Value
from ledger.compare import is_plain
from ledger.schema import accounts, entries, fills, journal

Kind = Literal["text", "amount", "price", "count", "time"]
DEBIT, CREDIT = "debit", "credit"
POSITION = "position"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one query.

    Attributes:
        name: The name of the query.
        columns: Name and kind of each column. Amounts are units of 10^-8, prices decimal text,
            times microseconds since 1970.
        rows: The values, in the order of the columns.
        remarks: Lines to print below the table.
    """

    name: str
    columns: tuple[tuple[str, Kind], ...]
    rows: list[tuple[Value, ...]]
    remarks: list[str] = field(default_factory=list)


def balances(connection: Connection) -> dict[tuple[str, str], int]:
    """Return (account, unit) -> balance, for every account that has entries."""
    totals = (
        select(entries.c.account_id, *(p.label(n) for p, n in zip(_sums(), "abc", strict=True)))
        .group_by(entries.c.account_id)
        .subquery()
    )
    rows = connection.execute(
        select(accounts.c.name, accounts.c.unit, totals.c.a, totals.c.b, totals.c.c).join(
            totals, totals.c.account_id == accounts.c.account_id
        )
    )
    return {(name, unit): total(*parts) for name, unit, *parts in rows}


def main_currency(connection: Connection) -> str:
    """Return the currency of main accounts: that of the first starting cash; USD without any."""
    first = select(accounts.c.unit).where(accounts.c.name == CAPITAL)
    found = connection.execute(first.order_by(accounts.c.account_id).limit(1)).scalar()
    return DEFAULT_CURRENCY if found is None else str(found)


def product_balances(
    connection: Connection, products: Collection[str]
) -> dict[tuple[str, str, str], int]:
    """Return (account, unit, product) -> position, of some products.

    An account of positions has all of an asset; the fill of an entry names the product.
    """
    if not products:
        return {}
    key = (accounts.c.name, accounts.c.unit, fills.c.product_id)
    rows = connection.execute(
        select(*key, *_sums())
        .select_from(entries)
        .join(accounts, accounts.c.account_id == entries.c.account_id)
        .join(
            fills,
            (fills.c.shard == entries.c.shard) & (fills.c.log_offset == entries.c.log_offset),
        )
        .where(accounts.c.kind == POSITION, fills.c.product_id.in_(products))
        .group_by(*key)
    )
    return {(name, unit, product): total(*parts) for name, unit, product, *parts in rows}


def shared_products(connection: Connection) -> set[str]:
    """Return the traded products that their assets do not identify; see `compare.is_plain`."""
    main = main_currency(connection)
    found = connection.execute(select(fills.c.product_id).distinct()).scalars()
    return {product_id for product_id in found if not is_plain(product_id, main)}


def balance_sheet(connection: Connection) -> Sheet:
    """Return every account with its balance.

    A position in a product that its asset does not identify, such as "binance:BTCUSDT", has a row
    of its own, and the table names it.
    """
    columns: tuple[tuple[str, Kind], ...] = (
        ("account", "text"),
        ("kind", "text"),
        ("agent", "text"),
        ("unit", "text"),
        ("balance", "amount"),
    )
    known = {(r.name, r.unit): r for r in connection.execute(select(accounts))}
    others = product_balances(connection, shared_products(connection))
    held = {(name, unit, ""): amount for (name, unit), amount in balances(connection).items()}
    for (name, unit, product), amount in others.items():
        held[name, unit, ""] -= amount
        if not held[name, unit, ""]:
            del held[name, unit, ""]
        held[name, unit, product] = amount
    rows: list[tuple[Value, ...]] = [
        (name, known[name, unit].kind, known[name, unit].agent or "", unit, amount, product)
        for (name, unit, product), amount in sorted(held.items())
    ]
    if not others:
        return Sheet("balances", columns, [row[:-1] for row in rows])
    return Sheet("balances", (*columns, ("product", "text")), rows)


def trial_balance(connection: Connection) -> tuple[Sheet, bool]:
    """Return every balance as a debit or credit, totals per unit, and whether the books balance.

    They balance only if each journal row has all its entries, too, and these sum to zero.
    """
    held = balances(connection)
    units = {unit for name, unit in held if name == CAPITAL}
    found = sorted(held.items(), key=lambda item: (item[0][1] not in units, *item[0][::-1]))
    rows: list[tuple[Value, ...]] = []
    totals: dict[str, list[int]] = {}
    for (name, unit), amount in found:
        rows.append((unit, name, max(amount, 0), max(-amount, 0)))
        total = totals.setdefault(unit, [0, 0])
        total[0] += max(amount, 0)
        total[1] += max(-amount, 0)
    rows += [(unit, "TOTAL", debit, credit) for unit, (debit, credit) in totals.items()]
    wrong = unbalanced(connection)
    journals = connection.execute(select(func.count()).select_from(journal)).scalar_one()
    remarks = [f"{unit}: debits and credits differ" for unit, (d, c) in totals.items() if d != c]
    remarks += [f"account.events[{s}]@{o}: {why}" for s, o, why in wrong]
    balanced = not remarks
    remarks.append(
        f"{journals:,} journal rows, {len(totals)} units: "
        + ("every unit sums to zero" if balanced else "OUT OF BALANCE")
    )
    columns: tuple[tuple[str, Kind], ...] = (
        ("unit", "text"),
        ("account", "text"),
        (DEBIT, "amount"),
        (CREDIT, "amount"),
    )
    return Sheet("trial-balance", columns, rows, remarks), balanced


def unbalanced(connection: Connection, limit: int = 20) -> list[tuple[int, int, str]]:
    """Return journal rows that lack entries or do not sum to zero: shard, offset and reason."""
    row_key = (entries.c.shard, entries.c.log_offset)
    units, rest = pair(entries, "amount")
    found = connection.execute(
        select(*row_key, accounts.c.unit, *_sums())
        .join(accounts, accounts.c.account_id == entries.c.account_id)
        .group_by(*row_key, accounts.c.unit)
        .having(func.sum(units) * SCALE + func.sum(rest) != 0)
        .limit(limit)
    )
    wrong = [(s, o, f"{unit} sums to {total(*parts)} of 10^-8") for s, o, unit, *parts in found]
    counted = select(*row_key, func.count().label("legs")).group_by(*row_key).subquery()
    lacking = connection.execute(
        select(journal.c.shard, journal.c.log_offset, journal.c.legs, counted.c.legs)
        .outerjoin(
            counted,
            (counted.c.shard == journal.c.shard) & (counted.c.log_offset == journal.c.log_offset),
        )
        .where(journal.c.legs != func.coalesce(counted.c.legs, 0))
        .limit(limit)
    )
    wrong += [(s, o, f"{has or 0} of {legs} entries exist") for s, o, legs, has in lacking]
    return wrong[:limit]


def journal_sheet(connection: Connection, limit: int | None = None) -> Sheet:
    """Return the newest journal rows with their entries, oldest first.

    Step, type and cause are shown if a row is of a limit order or an exit.
    """
    newest = _newest(select(journal.c.shard, journal.c.log_offset), journal.c, limit).subquery()
    rows = connection.execute(
        select(
            journal.c.at_us,
            journal.c.shard,
            journal.c.log_offset,
            journal.c.kind,
            func.coalesce(journal.c.agent, ""),
            func.coalesce(journal.c.order_id, ""),
            func.coalesce(journal.c.reason, ""),
            func.coalesce(accounts.c.name, ""),
            func.coalesce(accounts.c.unit, ""),
            *pair(entries, "amount"),
            journal.c.step,
            journal.c.order_type,
            journal.c.cause,
        )
        .join(
            newest,
            (newest.c.shard == journal.c.shard) & (newest.c.log_offset == journal.c.log_offset),
        )
        .outerjoin(
            entries,
            (entries.c.shard == journal.c.shard) & (entries.c.log_offset == journal.c.log_offset),
        )
        .outerjoin(accounts, accounts.c.account_id == entries.c.account_id)
        .order_by(journal.c.shard, journal.c.log_offset, entries.c.leg)
    )
    columns: tuple[tuple[str, Kind], ...] = (
        ("at", "time"),
        ("shard", "count"),
        ("offset", "count"),
        ("kind", "text"),
        ("agent", "text"),
        ("order", "text"),
        ("reason", "text"),
        ("account", "text"),
        ("unit", "text"),
        ("amount", "amount"),
        ("step", "count"),
        ("type", "text"),
        ("cause", "text"),
    )
    widths = _widths(columns)
    lines = [join_amounts(widths, row) for row in rows]
    has_steps = any(any(line[-3:]) for line in lines)
    shown = len(columns) if has_steps else len(columns) - 3
    return Sheet("journal", columns[:shown], [line[:shown] for line in lines])


def statement(connection: Connection, agent: str, limit: int | None = None) -> Sheet:
    """Return the entries in an agent's accounts, with the balance after each.

    The balance of a position is that in one product. The product is named if the agent trades one
    that its asset alone does not identify, such as "binance:BTCUSDT" beside "BTC-USD".
    """
    rows = connection.execute(
        select(
            journal.c.at_us,
            journal.c.log_offset,
            journal.c.kind,
            func.coalesce(journal.c.order_id, ""),
            accounts.c.kind,
            accounts.c.unit,
            func.coalesce(fills.c.product_id, ""),
            *pair(entries, "amount"),
        )
        .select_from(entries)
        .join(accounts, accounts.c.account_id == entries.c.account_id)
        .join(
            journal,
            (entries.c.shard == journal.c.shard) & (entries.c.log_offset == journal.c.log_offset),
        )
        .outerjoin(
            fills,
            (fills.c.shard == journal.c.shard) & (fills.c.log_offset == journal.c.log_offset),
        )
        .where(accounts.c.agent == agent)
        .order_by(journal.c.shard, journal.c.log_offset, entries.c.leg)
    )
    running: dict[tuple[str, str, str], int] = {}
    lines: list[tuple[Value, ...]] = []
    products: set[str] = set()
    for *head, kind, unit, product, high, low in rows:
        amount = high * SCALE + low
        products.add(product)
        key = (kind, unit, product if kind == POSITION else "")
        running[key] = running.get(key, 0) + amount
        lines.append((*head, kind, unit, amount, running[key], product))
    currency = main_currency(connection)
    named = any(product and not is_plain(product, currency) for product in products)
    columns: tuple[tuple[str, Kind], ...] = (
        ("at", "time"),
        ("offset", "count"),
        ("what", "text"),
        ("order", "text"),
        ("account", "text"),
        ("unit", "text"),
        ("amount", "amount"),
        ("balance", "amount"),
        ("product", "text"),
    )
    shown = len(columns) if named else len(columns) - 1
    newest = lines[-limit:] if limit else lines
    return Sheet(f"statement of {agent}", columns[:shown], [line[:shown] for line in newest])


FILL_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("shard", "log_offset", "ticker_partition", "ticker_offset"), "count"),
    **dict.fromkeys(("quantity", "notional", "fee", "slippage"), "amount"),
    "price": "price",
    **dict.fromkeys(("latency_cost", "realised", "scraped"), "amount"),
    **dict.fromkeys(("cash_after", "position_after"), "amount"),
    **dict.fromkeys(("priced_at_us", "at_us"), "time"),
}
FILLS_SHOWN = (
    "at_us",
    "log_offset",
    "agent",
    "product_id",
    "action",
    "quantity",
    "price",
    "fee",
    "slippage",
    "realised",
    "scraped",
    "cash_after",
)


def fills_shown(connection: Connection) -> tuple[str, ...]:
    """Return the columns of fills to show on a terminal; the currency if there are several."""
    starting_cash = select(func.count()).select_from(accounts).where(accounts.c.name == CAPITAL)
    several = connection.execute(starting_cash).scalar_one() > 1
    return (*FILLS_SHOWN, "currency") if several else FILLS_SHOWN


def fills_sheet(
    connection: Connection,
    agent: str | None = None,
    limit: int | None = None,
    names: Iterable[str] | None = None,
) -> Sheet:
    """Return the newest fills, oldest first."""
    shown = tuple(names or (name for name, _ in field_widths(fills)))
    query = select(fills)
    if agent is not None:
        query = query.where(fills.c.agent == agent)
    newest = _newest(query, fills.c, limit).subquery()
    rows = connection.execute(
        select(*(column for name in shown for column in _columns(newest, name))).order_by(
            newest.c.shard, newest.c.log_offset
        )
    )
    columns = tuple((name.removesuffix("_us"), FILL_KINDS.get(name, "text")) for name in shown)
    widths = _widths(columns)
    return Sheet("fills", columns, [join_amounts(widths, row) for row in rows])


def _columns(table: FromClause, name: str) -> tuple[ColumnElement[Any], ...]:
    return pair(table, name) if FILL_KINDS.get(name) == "amount" else (table.c[name],)


def _widths(columns: tuple[tuple[str, Kind], ...]) -> list[int]:
    return [2 if kind == "amount" else 1 for _, kind in columns]


# Any: the columns and rows of any table.
def _newest(query: Select[Any], columns: Any, limit: int | None) -> Select[Any]:
    if limit is None:
        return query
    return query.order_by(columns.log_offset.desc(), columns.shard).limit(limit)


def _sums() -> tuple[ColumnElement[int], ...]:
    return sum_columns(entries, "amount")
