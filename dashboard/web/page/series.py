"""Which line style each agent has, the same on every chart of every page. Pure.

The style is a class of the style sheet: a colour and a dash. Baselines have styles of their own.
"""

from collections.abc import Iterable

from dashboard.model.results import AgentStanding

HOLD, CASH, OTHER = "hold", "cash", "grey"
COLOURS = 6
HOLD_STRATEGY, CASH_STRATEGY = "buy_and_hold", "cash"


def styles(agents: Iterable[AgentStanding]) -> dict[str, str]:
    """Agent -> class: "s1" to "s6" by name, "hold", "cash", or "grey" for all others."""
    found: dict[str, str] = {}
    for one in sorted(agents, key=lambda one: one.agent):
        if one.kind == "baseline":
            found[one.agent] = {HOLD_STRATEGY: HOLD, CASH_STRATEGY: CASH}.get(one.strategy, OTHER)
            continue
        used = sum(style[0] == "s" for style in found.values())
        found[one.agent] = f"s{used + 1}" if used < COLOURS else OTHER
    return found
