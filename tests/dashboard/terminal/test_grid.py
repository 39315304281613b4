"""Lines of exact width."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from dashboard.terminal.grid import Column, fit, spread, table, wrap

COLUMNS = (
    Column("agent", cells_min=4, shrink=True),
    Column("equity", "right"),
    Column("fees", "right", optional=1),
    Column("cost", "right", optional=2),
)
ROWS = [[Text(word) for word in row] for row in (("momentum", "100.00", "1.00", "0"),)]
WORDS = st.text(alphabet="abc 日🚀", max_size=300)


def test_columns_are_aligned() -> None:
    """Words start in the same cell, figures end in the same cell."""
    lines = [line.plain for line in table(COLUMNS[:2], ROWS, 20)]

    assert ["agent      equity   ", "momentum   100.00   "] == lines


def test_optional_columns_are_added_as_the_width_allows() -> None:
    """A wider table has more columns, in the order of their priority."""
    titles = [table(COLUMNS, ROWS, width)[0].plain.split() for width in (15, 22, 40)]

    assert [
        ["agent", "equity"],
        ["agent", "equity", "fees"],
        ["agent", "equity", "fees", "cost"],
    ] == titles


def test_name_is_cut_before_a_figure() -> None:
    """If there is no room, a name is cut with an ellipsis and the figure stays whole."""
    line = table(COLUMNS[:2], ROWS, 13)[1].plain

    assert "momen… 100.00" == line


@given(WORDS, st.integers(1, 60))
def test_wrapped_text_is_complete_and_fits(words: str, width: int) -> None:
    """Wrapping drops only the blanks at which it breaks lines."""
    lines = wrap(words, width)

    assert {width} == {line.cell_len for line in lines}
    assert words.replace(" ", "") == "".join(line.plain for line in lines).replace(" ", "").replace(
        "…", ""
    ) or any(cell_len(c) > width for c in words)


@given(WORDS, st.integers(4, 60), st.integers(1, 5))
def test_limited_text_ends_with_an_ellipsis(words: str, width: int, limit: int) -> None:
    """Only text that was cut has it."""
    whole, cut = wrap(words, width), wrap(words, width, limit=limit)

    assert len(cut) == min(limit, len(whole))
    assert (len(whole) > limit) == cut[-1].plain.rstrip().endswith("…")


@given(WORDS, st.integers(1, 60))
def test_fitting_gives_exactly_the_width(words: str, width: int) -> None:
    """Wide characters are counted by their cells."""
    assert width == fit(Text(words), width).cell_len == fit(Text(words), width, "right").cell_len


def test_header_drops_the_least_important_items() -> None:
    """Droppable items are dropped in their order."""
    items = [Text("title"), Text("market"), Text("broker ok")]

    assert " title market broker ok" == spread(items, 24).plain.rstrip()
    assert " market   broker ok" == spread(items, 20, droppable=(0,)).plain.rstrip()
