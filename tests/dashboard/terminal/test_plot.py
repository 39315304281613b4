"""Curves in braille."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.money import SCALE
from dashboard.model.rows import Series
from dashboard.terminal.plot import AXIS_CELLS, plot_returns

OPENING = 100_000 * SCALE


def series(*percents: float | None, agent: str = "momentum", rank: int = 1) -> Series:
    """A curve of returns in percent, one per minute."""
    values = tuple(
        (n * 60_000, None if p is None else round(OPENING * (1 + p / 100)))
        for n, p in enumerate(percents)
    )
    return Series(agent, rank, rank, OPENING, values)


def plain(curves: list[Series], width: int = 60, height: int = 7) -> list[str]:
    """The lines without styles."""
    return [line.plain for line in plot_returns(curves, width, height)]


def test_y_axis_shows_the_extremes_and_zero() -> None:
    """The labels are the highest return, the lowest, and zero."""
    lines = plain([series(-1, 0, 2)])

    assert ["+2.00%", "-1.00%"] == [lines[0][:AXIS_CELLS].strip(), lines[-1][:AXIS_CELLS].strip()]
    assert any(line.startswith("  0.00% ") for line in lines)


def test_x_axis_shows_the_ends_in_market_time() -> None:
    """From eight lines on the last one shows the span, with the days if they differ."""
    line = plain([series(0, 1, 2)], height=8)[-1].split()
    days = plain([series(*([0.0] * 3_000))], height=8)[-1].split()

    assert ["00:00", "00:02", "UTC"] == line
    assert ["01-01", "00:00", "01-03", "01:59", "UTC"] == [one for one in days if one != "-"]


@pytest.mark.parametrize(("colour", "mark"), [(0, " "), (7, " "), (8, "╌"), (16, "┈"), (24, "⋅")])
def test_agents_after_the_eighth_have_another_line(colour: int, mark: str) -> None:
    """The colour repeats; fewer dots are drawn, and the name has the line's mark."""
    curve = series(*([0.0] * 9 + [5.0]))
    lines = [one.plain for one in plot_returns([replace(curve, colour=colour)], 60, 7)]
    whole = [one.plain for one in plot_returns([replace(curve, colour=0)], 60, 7)]

    assert f"{mark}1 momentum" in lines[0]
    assert (colour < 8) == (_dots(lines) == _dots(whole))


def _dots(lines: list[str]) -> int:
    return sum((ord(c) - 0x2800).bit_count() for line in lines for c in line if c > "\u2800")


def test_rising_curve_goes_from_the_lower_left_to_the_upper_right() -> None:
    """Time increases to the right and gains upwards."""
    lines = plain([series(*range(10))])

    dots = [
        [at for at, c in enumerate(line) if "\u2800" < c <= "\u28ff"]
        for line in (lines[0], lines[-1])
    ]
    assert min(dots[0]) > max(dots[1])


def test_every_curve_is_named_at_its_end() -> None:
    """Rank and name beside the ends distinguish curves without colour."""
    lines = plain([series(0, 2, agent="up"), series(0, -2, agent="down", rank=2)])

    assert lines[0].rstrip().endswith("1 up")
    assert lines[-1].rstrip().endswith("2 down")


def test_names_of_equal_curves_do_not_cover_each_other() -> None:
    """Curves that end at the same point are named on separate lines."""
    curves = [series(0, 1, agent=f"a{n}", rank=n) for n in range(1, 6)]
    ends = [line.split()[-2:] for line in plain(curves) if line.rstrip()[-2:-1] == "a"]

    assert [[str(n), f"a{n}"] for n in range(1, 6)] == ends


def test_selected_curve_is_always_named() -> None:
    """With more curves than lines, the selected one keeps its name."""
    curves = [series(0, n, agent=f"a{n:02d}", rank=n) for n in range(1, 31)]
    lines = [line.plain for line in plot_returns(curves, 60, 6, chosen="a30")]

    assert any("30 a30" in line for line in lines)


@pytest.mark.parametrize("curves", [[], [series(1)], [series(None, None, 1)]])
def test_no_plot_without_two_points(curves: list[Series]) -> None:
    """A curve needs two points in time."""
    assert [] == plot_returns(curves, 60, 9)


def test_gap_at_the_start_is_empty() -> None:
    """The curve of an agent that joined later starts with its account."""
    lines = plain([series(None, None, 1, 1), series(0, 0, 0, 0, agent="cash", rank=2)])
    first = lines[0][AXIS_CELLS:]

    assert min(at for at, c in enumerate(first) if "\u2800" < c <= "\u28ff") > 10


@given(
    st.lists(st.lists(st.none() | st.floats(-99, 500), min_size=1, max_size=40), max_size=6),
    st.integers(1, 200),
    st.integers(1, 40),
)
def test_lines_always_fit(values: list[list[float | None]], width: int, height: int) -> None:
    """A plot of any curves has the requested size, or there is none."""
    curves = [series(*one, agent=f"agent-{n}", rank=n) for n, one in enumerate(values, 1)]
    lines = plot_returns(curves, width, height)

    assert len(lines) in (0, height)
    assert {line.cell_len for line in lines} <= {width}
