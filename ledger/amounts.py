"""An amount in the books: whole units and the rest in 10^-8, in two columns of 64 bits. Pure.

One 64-bit column of units of 10^-8 would hold only 92 billion; a position in a meme coin can be ten
trillion. Two integers hold 9.2 * 10^18 units, and both engines sum them exactly: the whole part is
summed in two halves, because a sum in SQLite is limited to 64 bits.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from sqlalchemy import CheckConstraint, Column, ColumnElement, FromClause, Integer, Table, func
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from arena.money import SCALE, decimal_text

WHOLE, REST = "_whole", "_e8"
INT64_MAX = 2**63 - 1
AMOUNT_MAX = INT64_MAX * SCALE
"""The largest amount that a pair of columns holds, in units of 10^-8."""
SUM_SPLIT = 10**9
"""Whole units are summed as multiples of this and the remainder."""

_Value = int | str | bytes | None


def amount_columns(
    whole_type: TypeEngine[int], *names: str, nullable: bool = False
) -> Iterator[SchemaItem]:
    """Return the pair of columns of each amount, with a check of its bounds."""
    for name in names:
        yield Column(f"{name}{WHOLE}", whole_type, nullable=nullable)
        yield Column(f"{name}{REST}", Integer, nullable=nullable)
        bound = f"{name}{REST} BETWEEN 0 AND {SCALE - 1}"
        yield CheckConstraint(bound, name=f"{name}{REST}")


def split_amount(units: int) -> tuple[int, int]:
    """Split units of 10^-8 into whole units and the rest: -1 is -1 whole and 99,999,999."""
    return divmod(units, SCALE)


def split_amount_or_null(units: int | None) -> tuple[int | None, int | None]:
    """Like `split_amount`; None, an unknown amount, is NULL in both columns."""
    return (None, None) if units is None else divmod(units, SCALE)


def pair(table: FromClause, name: str) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The two columns of an amount."""
    return table.c[f"{name}{WHOLE}"], table.c[f"{name}{REST}"]


def sum_columns(table: FromClause, name: str) -> tuple[ColumnElement[int], ...]:
    """Return three sums that cannot overflow; `total` combines them."""
    whole, rest = pair(table, name)
    return func.sum(whole // SUM_SPLIT), func.sum(whole % SUM_SPLIT), func.sum(rest)


def total(high: int | None, low: int | None, rest: int | None) -> int:
    """Combine three sums into units of 10^-8; None counts as zero."""
    return (int(high or 0) * SUM_SPLIT + int(low or 0)) * SCALE + int(rest or 0)


def field_widths(table: Table) -> list[tuple[str, int]]:
    """Return the name of each value in a table, and the number of columns that hold it."""
    found: list[tuple[str, int]] = []
    for column in table.columns:
        if column.name.endswith(WHOLE):
            found.append((column.name.removesuffix(WHOLE), 2))
        elif not column.name.endswith(REST):
            found.append((column.name, 1))
    return found


def join_amounts(widths: Iterable[int], row: Iterable[object]) -> tuple[_Value, ...]:
    """Return a row with each pair of columns joined to one amount, and decimals as plain text.

    Args:
        widths: The number of columns of each value.
        row: The row as it was read.
    """
    values = iter(row)
    return tuple(
        _plain(next(values)) if width == 1 else _joined(next(values), next(values))
        for width in widths
    )


def _joined(whole: object, rest: object) -> int | None:
    if whole is None:
        return None
    assert isinstance(whole, int), "an amount has whole numbers in its columns"
    assert isinstance(rest, int), "an amount has whole numbers in its columns"
    return whole * SCALE + rest


def _plain(value: object) -> _Value:
    if value is None or isinstance(value, int | str | bytes):
        return value
    return decimal_text(value) if isinstance(value, Decimal) else str(value)
