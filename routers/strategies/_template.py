"""How to add a strategy: copy this file to `<name>.py` and run `arena router --strategy <name>`.

The prompt says what the agent believes, when it buys, when it sells and how much. How the market
text reads, what a trade costs and how to end a turn is told to every agent alike, by
`routers.prompt.render_system`; do not repeat it. `cadence=2` answers every second snapshot.
"""

from routers.strategy import Strategy

STRATEGY = Strategy(
    name="template",
    prompt="You hold what you have and explain in one sentence what would change your mind.",
    tools=("get_portfolio",),
    cadence=1,
)
