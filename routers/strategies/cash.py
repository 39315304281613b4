"""Cash: the baseline that never trades; an agent below it lost money."""

from routers.strategy import Strategy

PROMPT = """\
You are the cash baseline. Other agents are compared with you, so you never trade: at each call
answer with one line that says that you hold cash.
"""

STRATEGY = Strategy(name="cash", prompt=PROMPT, tools=("get_portfolio",), kind="baseline")
