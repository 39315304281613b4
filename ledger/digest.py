"""Computes one SHA-256 over everything in the books that comes from the account log.

It covers the rows of `journal`, `entries`, `fills` and `positions` in the order of their keys;
entries with the name and unit of their account instead of its number; the currencies of fills that
are not settled in the main account; and steps of limit orders and exits. Books of the same log have
the same digest on either engine, no matter how often they were rebuilt. Rows are streamed.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, false, or_, select

from arena.money import decimal_text
from ledger.amounts import pair
from ledger.schema import accounts, entries, fills, journal, positions
from ledger.statements import main_currency

ROWS_READ = 5_000
WALLETS = "wallets"
"""Fills that are settled in a further currency; without any, the digest does not depend on them."""
STEPS = "steps"
"""Steps of limit orders and exits; without any, the digest does not depend on them."""
LATER = ("step", "order_type", "cause")
"""Columns of `journal` that only those steps have."""


def books_digest(
    connection: Connection,
    upto: Mapping[int, int] | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> str:
    """Return the digest, in hex.

    Args:
        connection: One consistent view of the books.
        upto: Shard -> the first offset to leave out; None hashes everything.
        on_rows: Called with the number of rows of each batch.
    """
    digest = sha256()
    for table, query in _queries(main_currency(connection)):
        if upto is not None:
            shard, offset = query.selected_columns.shard, query.selected_columns.log_offset
            before = [and_(shard == number, offset < end) for number, end in upto.items()]
            query = query.where(or_(false(), *before))
        if table not in (WALLETS, STEPS):
            digest.update(table.encode())
        for rows in _stream_rows(connection, query):
            digest.update(b"".join(orjson.dumps(row, default=_as_text) for row in rows))
            on_rows(len(rows))
    return digest.hexdigest()


# Any: rows of any of the four tables.
def _queries(currency: str) -> list[tuple[str, Select[Any]]]:
    named = select(
        entries.c.shard,
        entries.c.log_offset,
        entries.c.leg,
        accounts.c.name,
        accounts.c.unit,
        *pair(entries, "amount"),
    ).join(accounts, accounts.c.account_id == entries.c.account_id)
    amounts = [column for column in fills.c if column is not fills.c.currency]
    key = (fills.c.shard, fills.c.log_offset)
    further = select(*key, fills.c.currency).where(fills.c.currency != currency)
    place = (journal.c.shard, journal.c.log_offset)
    always = [column for column in journal.c if column.name not in LATER]
    later = [journal.c[name] for name in LATER]
    has_steps = or_(journal.c.step > 0, journal.c.order_type != "", journal.c.cause != "")
    return [
        ("journal", select(*always).order_by(*place)),
        ("entries", named.order_by(entries.c.shard, entries.c.log_offset, entries.c.leg)),
        ("fills", select(*amounts).order_by(*key)),
        ("positions", select(positions).order_by(positions.c.shard, positions.c.log_offset)),
        (WALLETS, further.order_by(*key)),
        (STEPS, select(*place, *later).where(has_steps).order_by(*place)),
    ]


# Any: as above.
def _stream_rows(connection: Connection, query: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Read with the driver's own cursor: the digest reads millions of rows."""
    statement = query.compile(connection, compile_kwargs={"literal_binds": True})
    driver = connection.connection.driver_connection
    assert driver is not None, "the connection is closed"
    named = {} if connection.dialect.name == "sqlite" else {"name": "digest"}
    cursor = driver.cursor(**named)
    try:
        cursor.execute(str(statement))
        while rows := cursor.fetchmany(ROWS_READ):
            yield rows
    finally:
        cursor.close()


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"{value!r} is not a value of the books")
