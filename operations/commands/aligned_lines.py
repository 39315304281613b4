"""Aligns the cells of a table in columns. Pure."""

from collections.abc import Collection, Sequence

GAP = "  "


def aligned_lines(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Return one line per row, without spaces at its end.

    Args:
        rows: Rows with the same number of cells; headings are a row, too.
        right: Indexes of the right-aligned columns.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
