"""Colours and marks. A colour repeats what a sign, a word or a place already says."""

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


def change_style(units: int | None) -> str:
    """The style of a signed change."""
    if not units:
        return ""
    return GAIN if units > 0 else LOSS
