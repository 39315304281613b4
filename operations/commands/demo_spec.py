"""The ARENA.toml that the demo runs, as text. Pure. `examples/demo.toml` is the same.

With the small local model there are two more agents, and the market is slower: the model answers
about one call per second and core.

Both chat nodes are scripted: one serves the strategies, one the baselines, as two models would.
"""

from collections.abc import Sequence

from arena.errors import UsageError

SEED = 7
SPEED = 60.0
LOCAL_SPEED = 12.0
"""A snapshot every 5 s: time for both agents of the local model to answer."""
STRATEGIES = ("momentum", "brainrot", "scalper")
LOCAL_STRATEGIES = ("momentum", "scalper")
"""Strategies that the local model plays too, if it is chosen."""
BASELINES = ("buy_and_hold", "random", "cash")
PLAYERS = (*STRATEGIES, *BASELINES)

HEAD = """\
# A whole arena without a key: simulated prices, scripted rules instead of LLMs.
#
#   arena up examples/demo.toml          `arena demo` runs the same and prints the standings

[arena]
name = "demo"
products = ["BTC-USD", "ETH-USD", "SOL-USD"]
interval_s = 60         # market time: one second of real time at this speed

[market]
source = "exchange"     # the simulated exchange speaks Coinbase's own protocol
seed = {seed}
speed = {speed:g}              # a minute of market time per second
record = true           # keep the raw frames beside the run's records
context = ["context.jsonl"]     # made news, sentiment and token facts; brainrot reads them

[rules]
fees = "coinbase-advanced-1"
slippage_bps = 2
starting_cash = 100000

[risk]
preset = "standard"     # code caps positions and losses of every account, see docs/risk.md

[ledger]
enabled = true          # double-entry books of every fill, beside the run's records

[[chat_nodes]]
name = "rules-a"
model_id = "scripted"   # built-in rules that read the same prompt an LLM would

[[chat_nodes]]
name = "rules-b"
model_id = "scripted"
"""

AGENT = """
[[agents]]
name = "{name}"
strategy = "{strategy}"
chat_node = "rules-a"
"""

LOCAL_NODE = """
[[chat_nodes]]
name = "tiny"
model_id = "local"      # a real 135 M model in the node's process; it trades at random
"""

LOCAL_AGENT = """
[[agents]]
name = "{name}-smollm2"
strategy = "{strategy}"
chat_node = "tiny"
"""

BASELINE = """
[[agents]]
name = "{name}"
strategy = "{strategy}"
chat_node = "rules-b"
process = "baselines"   # agents with the same word share one process
"""


def demo_toml(
    *,
    seed: int = SEED,
    speed: float = SPEED,
    strategies: Sequence[str] | None = None,
    local: bool = False,
    others: Sequence[str] = (),
) -> str:
    """Return the demo's ARENA.toml.

    Args:
        seed: Seed for the prices.
        speed: Seconds of market time per second.
        strategies: The strategies to run; all three strategies and three baselines by default.
        local: True adds two agents on the small local model.
        others: Strategies of plugins that `strategies` may name.

    Raises:
        UsageError: A strategy is not one of the demo's.
    """
    chosen = list(dict.fromkeys(strategies or PLAYERS))
    for strategy in chosen:
        if strategy not in (*PLAYERS, *others):
            raise UsageError(
                f"--agents: {strategy!r} is not a strategy of the demo",
                remedy=f"choose from {','.join((*PLAYERS, *others))}; `arena up` runs your own",
            )
    text = HEAD.format(seed=seed, speed=speed) + LOCAL_NODE * local
    for strategy in LOCAL_STRATEGIES * local:
        text += LOCAL_AGENT.format(name=strategy, strategy=strategy)
    for strategy in chosen:
        table = BASELINE if strategy in BASELINES else AGENT
        text += table.format(name=strategy.replace("_", "-"), strategy=strategy)
    return text
