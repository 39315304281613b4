"""Trading tools: the catalogue that agents call, and the executor, single writer of all accounts.

A tool in a user's own file needs one import: `from trading_tools import tool`.

command_handler, decide, fill   the pure core: a command in, events and replies out
shard_writer, ownership         the shell around it: reads commands, appends events, sends replies
executor, shard_membership      which shards this process serves, and how it takes one over
recovery, checkpoints           the fold of a shard's log at a start
kill_switch, control_loss       halts, and the proof that all of them were read
registry, schema, catalogue/    tools as functions, and their JSON schemas
technical_metrics, candle_*     metrics from the candles up to a snapshot
server, service, cli            the stateless tools, and the commands
replay*                         recorded orders, decided again for the audit
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading_tools.context import Answer as Answer
    from trading_tools.context import MarketContext as MarketContext
    from trading_tools.context import ToolContext as ToolContext
    from trading_tools.registry import tool as tool
    from trading_tools.schema import ExactDecimal as ExactDecimal

_HOMES = {
    "Answer": "context",
    "MarketContext": "context",
    "ToolContext": "context",
    "tool": "registry",
    "ExactDecimal": "schema",
}
"""Name that a tool may import -> the module that has it; loaded on first use."""


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that commands start without loading it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
