"""An executor that claims every shard, even if another one owns it: `python -m tests.faults.rival`.

Two of them compete for the same shard, which a consumer group would never allow.
"""

from arena.node import Node, run_node
from arena.settings import Settings
from trading_tools.executor import Executor
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules
from trading_tools.shard_membership import ShardMembership


class EveryShard(ShardMembership):
    """Serves every shard, and treats being fenced as expected."""

    def should_serve(self, shard: int) -> bool:
        """Return True."""
        return True

    def assigned(self, shard: int) -> bool:
        """Return False, so that the executor claims again after it is fenced."""
        return False


async def rival(node: Node, _: None) -> None:
    """Serve like `arena tools --only executor`, without a consumer group."""
    tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
    await Executor(node, TradingRules(), tools, EveryShard(node)).run()


if __name__ == "__main__":
    run_node("tools", "rival", Settings(), rival, None)
