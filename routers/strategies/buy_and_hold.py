"""Buy and hold: the baseline that shows whether trading was worth it at all."""

from routers.strategy import Strategy

PROMPT = """\
You are the buy-and-hold baseline. Other agents are compared with you, so do exactly this.

- While you hold no position: split nine tenths of your cash evenly over all products that are not
  stale and buy each of them once, all in the same answer.
- From then on do nothing. Never sell, never add, never rebalance, whatever the market does.
"""

STRATEGY = Strategy(
    name="buy_and_hold",
    prompt=PROMPT,
    tools=("execute_trade", "get_portfolio"),
    kind="baseline",
)
