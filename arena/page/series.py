"""Which line style each agent has, the same on every chart of page and report. Pure.

The style is a colour and a dash, as classes of the style sheet. Agents of one strategy and model
have one colour and differ by dash. Baselines have styles of their own.
"""

from collections.abc import Iterable
from typing import Protocol

HOLD, CASH, OTHER, MARKET = "hold", "cash", "grey", "market"
COLOURS = 6
"""As many dashes as colours."""
COLOURED_MAX = 12
"""Most lines with a colour on a chart whose other lines are grey."""
HOLD_STRATEGY, CASH_STRATEGY = "buy_and_hold", "cash"


class Contestant(Protocol):
    """What the style of an agent follows from."""

    @property
    def strategy(self) -> str:
        """Its strategy."""

    @property
    def model(self) -> str:
        """Its model."""

    @property
    def kind(self) -> str:
        """Kind of the agent: "baseline" for a reference."""


def styles(agents: Iterable[tuple[str, Contestant]], *, grey: bool = True) -> dict[str, str]:
    """Name -> classes: "s1 d1" to "s6 d6", "hold", "cash", or "grey" for all others.

    Args:
        agents: Name and agent.
        grey: True if agents of a seventh colour, and those after the twelfth, are grey; False to
            use the colours again, with other dashes.
    """
    found: dict[str, str] = {}
    cells: dict[tuple[str, str], int] = {}
    used = [0] * COLOURS
    for name, one in sorted(agents, key=lambda pair: pair[0]):
        if one.kind == "baseline":
            found[name] = {HOLD_STRATEGY: HOLD, CASH_STRATEGY: CASH}.get(one.strategy, OTHER)
            continue
        cell = cells.setdefault((one.strategy, one.model), len(cells))
        if grey and (cell >= COLOURS or sum(used) >= COLOURED_MAX):
            found[name] = OTHER
            continue
        colour = cell % COLOURS
        found[name] = f"s{colour + 1} d{(colour + used[colour]) % COLOURS + 1}"
        used[colour] += 1
    return found
