"""An amount in the books: whole units and the rest in 10^-8, in two columns of 64 bits. Pure.

One column of units of 10^-8 would end at 92 billion; a position of a meme coin is ten trillion. Two
integers hold 9.2 * 10^18 units of anything, and both engines sum them exactly: the whole part in
two halves, because a sum of SQLite has 64 bits and refuses to go beyond.
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
HALF = 10**9

_Value = int | str | bytes | None


def amount_columns(
    whole_type: TypeEngine[int], *names: str, nullable: bool = False
) -> Iterator[SchemaItem]:
    """The pair of columns of each amount, with its bound."""
    for name in names:
        yield Column(f"{name}{WHOLE}", whole_type, nullable=nullable)
        yield Column(f"{name}{REST}", Integer, nullable=nullable)
        bound = f"{name}{REST} BETWEEN 0 AND {SCALE - 1}"
        yield CheckConstraint(bound, name=f"{name}{REST}")


def split(units: int) -> tuple[int, int]:
    """Units of 10^-8 as whole units and the rest: -1 is -1 whole and 99,999,999."""
    return divmod(units, SCALE)


def split_or_null(units: int | None) -> tuple[int | None, int | None]:
    """The same; what is unknown is NULL in both columns."""
    return (None, None) if units is None else divmod(units, SCALE)


def pair(table: FromClause, name: str) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The two columns of an amount."""
    return table.c[f"{name}{WHOLE}"], table.c[f"{name}{REST}"]


def sum_columns(table: FromClause, name: str) -> tuple[ColumnElement[int], ...]:
    """Three sums that make one without an overflow: `total` puts them together."""
    whole, rest = pair(table, name)
    return func.sum(whole // HALF), func.sum(whole % HALF), func.sum(rest)


def total(high: int | None, low: int | None, rest: int | None) -> int:
    """The sum in units of 10^-8 of its three parts; nothing sums to zero."""
    return (int(high or 0) * HALF + int(low or 0)) * SCALE + int(rest or 0)


def field_widths(table: Table) -> list[tuple[str, int]]:
    """The columns of a table as people name them, and of how many columns each is made."""
    found: list[tuple[str, int]] = []
    for column in table.columns:
        if column.name.endswith(WHOLE):
            found.append((column.name.removesuffix(WHOLE), 2))
        elif not column.name.endswith(REST):
            found.append((column.name, 1))
    return found


def join_amounts(widths: Iterable[int], row: Iterable[object]) -> tuple[_Value, ...]:
    """A row in which each pair of columns is one amount, and an exact decimal its plain text.

    Args:
        widths: Of how many columns each value is made.
        row: As it was read.
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
