"""What page and report share: formats, line styles, axes, line charts, templates."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import pytest

from arena.page import formats
from arena.page.environment import base_style, page_environment
from arena.page.intervals import interval_axis
from arena.page.line_chart import LABEL_PX, Curve, line_chart
from arena.page.series import styles

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, as far as its line style follows from it."""

    strategy: str
    model: str
    kind: str = "agent"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (formats.money(Decimal("100412.774")), "100,412.77"),
        (formats.money(-0.001), "0.00"),
        (formats.gain(-12.444), "−12.44"),
        (formats.gain(Decimal("-0.001")), "0.00"),
        (formats.pct(3.75), "+3.75 %"),
        (formats.share(-0.0299), "−2.99 %"),
        (formats.share(None), "–"),
        (formats.interval(-0.0407, 0.1221), "−4.07 to +12.21 %"),
        (formats.interval(0.0, 0.0), "constant"),
        (formats.ranks(1, 4), "1–4"),
        (formats.ranks(2, 2), "2"),
        (formats.at_ms(0), "Thu 01 Jan 00:00:00"),
        (formats.clean("a\u202eb", 9), r"a\u202eb"),
        (formats.clean("abcdef", 4), "abcd… (2 more characters)"),
    ],
)
def test_figures_have_separators_and_signs(text: str, shown: str) -> None:
    """A minus sign, not a hyphen; zero has no sign; an unknown figure is a dash."""
    assert shown == text


@pytest.mark.parametrize("grey", [True, False])
def test_styles_differ_and_do_not_depend_on_the_order(grey: bool) -> None:
    """Repeats of a cell share a colour; with colours used again every pair still differs."""
    cells = {f"{s}-{m}-{k}": Agent(s, m) for s in "abc" for m in "xyz" for k in (1, 2)}
    agents = {**cells, "hold": Agent("buy_and_hold", "", "baseline")}
    found = styles(agents.items(), grey=grey)
    cell_styles = [found[name] for name in cells]

    assert found == styles(reversed(agents.items()), grey=grey)
    assert ("s1 d1", "s1 d2", "hold") == (found["a-x-1"], found["a-x-2"], found["hold"])
    assert ("grey" in cell_styles) == grey
    assert grey or len(cell_styles) == len(set(cell_styles))


def test_of_many_repeats_the_first_twelve_have_a_colour() -> None:
    """A crowd is grey, so that a chart stays readable; "hold" keeps its style."""
    agents = {f"a-{n:02d}": Agent("a", "x") for n in range(30)}
    found = styles([*agents.items(), ("z", Agent("buy_and_hold", "", "baseline"))])

    assert 12 == sum(style.startswith("s") for style in found.values())
    assert (18, "hold") == (list(found.values()).count("grey"), found["z"])


def test_every_style_is_in_the_style_sheet() -> None:
    """Each colour and each dash has a rule, and a colour in both schemes."""
    sheet = base_style()

    for number in range(1, 7):
        assert f".s{number} {{" in sheet
        assert number == 1 or f".line.d{number}," in sheet
        assert 2 == sheet.count(f"--s{number}: #")


def test_interval_axis_has_zero_and_hold() -> None:
    """Every value is on the axis, in order; an unknown one has no place."""
    axis = interval_axis([-0.02, 0.05, None], hold=0.01)
    plot = axis.plot(-0.02, 0.05, None)

    assert axis.hold is not None
    assert plot.low is not None
    assert plot.high is not None
    assert 0 < plot.low < axis.zero < axis.hold < plot.high < 100
    assert plot.dot is None
    assert "hold +1.00 %" == axis.hold_words
    assert "0" in [tick.words for tick in axis.ticks]


def test_line_chart_draws_gaps_points_and_a_table() -> None:
    """A gap starts a new stretch; only chosen points are drawn; the table has the values."""
    times = [n * MINUTE_MS for n in range(5)]
    gap = Curve("gap", "s1 d1", [1.0, None, 2.0, 3.0, 4.0])
    few = Curve("few", "s2 d2", [0.0, 9.0, 0.0, 0.0, 1.0], points=(0, 1, 4))
    none = Curve("none", "s3 d3", [None] * 5)
    chart = line_chart(times, (gap, few, none), 100)
    lines = {line.name: line for line in chart.lines}

    assert ("gap", "few") == tuple(lines)
    assert (2, 3) == (lines["gap"].path.count("M"), lines["gap"].path.count("L") + 1)
    assert 2 == lines["few"].path.count("L")
    assert ("Time, UTC", "gap", "few") == chart.head
    assert ("Thu 01 Jan 00:04:00", "+4.00 %", "+1.00 %") == chart.rows[0]
    assert chart.zero is not None


def test_line_chart_of_amounts_has_no_zero_and_no_signs() -> None:
    """Amounts near 100,000 fill the plot; the labels on the left have room."""
    curve = Curve("a", "grey", [99_000.0, 101_000.0])
    chart = line_chart([0, MINUTE_MS], [curve], 200, formats.money, signed=False)

    assert chart.zero is None
    assert "100,000" in [tick.words for tick in chart.down]
    assert 14 + 6 * len("100,000") == chart.left
    assert "101,000.00" == chart.lines[0].last


def test_labels_do_not_overlap_and_hidden_lines_have_none() -> None:
    """Lines that end at one place have labels one below the other, inside the plot."""
    curves = [Curve(str(n), f"s{n % 6 + 1} d1", [0.0, 1.0], visible=n < 12) for n in range(20)]
    chart = line_chart([0, MINUTE_MS], curves, 300)
    places = sorted(line.label_at for line in chart.lines if line.label_at is not None)

    assert 12 == len(places)
    assert all(b - a >= LABEL_PX for a, b in pairwise(places))
    assert places[-1] <= 300


def test_shared_macros_escape_names() -> None:
    """The name of an agent cannot become an element of the chart, its labels or its table."""
    curve = Curve("<b>\u202e</b>", "s1 d1", [0.0, 1.0])
    environment = page_environment("dashboard.web.page")
    template = environment.from_string(
        "{% import 'shared.html.j2' as shared %}{{ shared.line_chart(chart, 'Returns', 'note') }}"
    )
    text = template.render(chart=line_chart([0, MINUTE_MS], [curve], 100))

    assert "<b>" not in text
    assert "\u202e" not in text
    assert 2 == text.count(r"&lt;b&gt;\u202e&lt;/b&gt;")
