"""How to add a strategy: copy this file to `<name>.py` and run `arena router --strategy <name>`.

The prompt says what the agent believes, when it buys, when it sells and how much. Do not repeat
how to read the market, what a trade costs and how to end a turn: `routers.prompt.render_system`
adds that for all agents. `cadence=2` decides on every second snapshot; `every="25s"` and
`on_move_pct=0.5` decide by venue time and prices (`arena.gate_settings`). With
`shows=("indicators", "context")` its prompts show more than tickers and candles.
"""

from routers.strategy import Strategy

STRATEGY = Strategy(
    name="template",
    prompt="You hold what you have and explain in one sentence what would change your mind.",
    tools=("get_portfolio",),
    cadence=1,
)
