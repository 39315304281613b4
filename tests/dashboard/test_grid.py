"""Lines of exact width."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from dashboard.grid import Column, fit, spread, table, wrap

COLUMNS = (
    Column("agent", cells_min=4, shrink=True),
    Column("equity", "right"),
    Column("fees", "right", optional=1),
    Column("cost", "right", optional=2),
)
ROWS = [[Text(word) for word in row] for row in (("momentum", "100.00", "1.00", "0"),)]
WORDS = st.text(alphabet="abc 日🚀", max_size=300)


def test_columns_line_up_at_their_sides() -> None:
    """Words begin in the same cell, figures end in the same cell."""
    lines = [line.plain for line in table(COLUMNS[:2], ROWS, 20)]

    assert ["agent      equity   ", "momentum   100.00   "] == lines


def test_optional_columns_come_as_the_width_allows() -> None:
    """More room shows more columns, in the order of their worth."""
    titles = [table(COLUMNS, ROWS, width)[0].plain.split() for width in (15, 22, 40)]

    assert [
        ["agent", "equity"],
        ["agent", "equity", "fees"],
        ["agent", "equity", "fees", "cost"],
    ] == titles


def test_a_name_gives_way_to_a_figure() -> None:
    """Where there is no room a name is cut with an ellipsis and the figure stays whole."""
    line = table(COLUMNS[:2], ROWS, 13)[1].plain

    assert "momen… 100.00" == line


@given(WORDS, st.integers(1, 60))
def test_wrapped_words_are_whole_and_fit(words: str, width: int) -> None:
    """Wrapping breaks lines and drops nothing but the blank it breaks at."""
    lines = wrap(words, width)

    assert {width} == {line.cell_len for line in lines}
    assert words.replace(" ", "") == "".join(line.plain for line in lines).replace(" ", "").replace(
        "…", ""
    ) or any(cell_len(c) > width for c in words)


@given(WORDS, st.integers(4, 60), st.integers(1, 5))
def test_a_limit_ends_in_an_ellipsis(words: str, width: int, limit: int) -> None:
    """Cut text says that it was cut."""
    whole, cut = wrap(words, width), wrap(words, width, limit=limit)

    assert len(cut) == min(limit, len(whole))
    assert (len(whole) > limit) == cut[-1].plain.rstrip().endswith("…")


@given(WORDS, st.integers(1, 60))
def test_fitting_gives_exactly_the_width(words: str, width: int) -> None:
    """Wide characters are counted by their cells."""
    assert width == fit(Text(words), width).cell_len == fit(Text(words), width, "right").cell_len


def test_the_header_drops_what_matters_least() -> None:
    """Items named as droppable go first, in their order."""
    items = [Text("title"), Text("market"), Text("broker ok")]

    assert " title market broker ok" == spread(items, 24).plain.rstrip()
    assert " market   broker ok" == spread(items, 20, droppable=(0,)).plain.rstrip()
