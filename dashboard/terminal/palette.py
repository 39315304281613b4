"""Colours and marks. A colour only repeats information that is also given without colour."""

AGENT_COLOURS = (
    "bright_cyan",
    "bright_magenta",
    "bright_yellow",
    "bright_blue",
    "bright_green",
    "dark_orange",
    "bright_white",
    "medium_purple1",
)
LINE_MARKS = (" ", "╌", "┈", "⋅")
"""Samples of the lines of agents 1-8, 9-16, 17-24 and 25-32: solid, dashed, dotted, sparse."""
LINE_PATTERNS = ((True,), (True,) * 4 + (False,) * 2, (True, False, False), (True,) + (False,) * 5)
"""Which dots of a curve are drawn, by column; the eight colours repeat with each pattern."""
BORDER = "grey42"
FOCUS = "bold bright_white"
TITLE = "bold"
QUIET = "grey62"
GAIN = "green"
LOSS = "red"
WARNING = "bold yellow"
ALARM = "bold red"
KEY = "bold cyan"
SELECTED_MARK = "›"


def agent_style(colour: int) -> str:
    """The style of an agent's name and curve."""
    return AGENT_COLOURS[colour % len(AGENT_COLOURS)]


def line_mark(colour: int) -> str:
    """The sample of an agent's line beside its name; a blank for the first eight."""
    return LINE_MARKS[colour // len(AGENT_COLOURS) % len(LINE_MARKS)]


def line_pattern(colour: int) -> tuple[bool, ...]:
    """Which dots of an agent's curve are drawn."""
    return LINE_PATTERNS[colour // len(AGENT_COLOURS) % len(LINE_PATTERNS)]


def change_style(units: int | None) -> str:
    """The style of a signed change."""
    if not units:
        return ""
    return GAIN if units > 0 else LOSS
