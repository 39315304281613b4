"""An executor that takes every shard from whoever has it: `python -m tests.faults.rival`.

Two of them own the same shard against each other, as no group would ever let them.
"""

from arena.node import Node, run_node
from arena.settings import Settings
from trading_tools.executor import Executor
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules
from trading_tools.shard_membership import ShardMembership


class EveryShard(ShardMembership):
    """Says yes to every shard, and never that being fenced is a surprise."""

    def should_serve(self, shard: int) -> bool:
        """Always."""
        return True

    def assigned(self, shard: int) -> bool:
        """Never, so that being fenced leads to the next claim."""
        return False


async def rival(node: Node) -> None:
    """Serve like `arena tools --only executor`, without asking the group."""
    tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
    await Executor(node, TradingRules(), tools, EveryShard(node)).run()


if __name__ == "__main__":
    run_node("tools", "rival", Settings(), rival)
