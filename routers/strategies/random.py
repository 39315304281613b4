"""Random: the baseline that shows whether a strategy beats a coin, with the same costs."""

from arena.messages import Sampling
from routers.strategy import Strategy

SEED = 7
"""The same seed gives the same choices in every run."""

PROMPT = """\
You are the random baseline. Other agents are compared with you, so look at no candle and form no
opinion.

- At each call pick one product that is not stale, and one of three things, all equally likely: buy
  for a tenth of your cash, sell half of what you hold of it, or do nothing.
- If the pick cannot be done (nothing held, no cash), do nothing.
"""

STRATEGY = Strategy(
    name="random",
    prompt=PROMPT,
    tools=("execute_trade", "get_portfolio"),
    kind="baseline",
    sampling=Sampling(seed=SEED),
)
