"""Trading tools: the catalogue agents call, and the executor, single writer of every account.

A tool in a file of one's own needs one line: `from trading_tools import tool`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading_tools.context import Answer as Answer
    from trading_tools.context import ToolContext as ToolContext
    from trading_tools.registry import tool as tool
    from trading_tools.schema import ExactDecimal as ExactDecimal

_HOMES = {
    "Answer": "context",
    "ToolContext": "context",
    "tool": "registry",
    "ExactDecimal": "schema",
}
"""What a tool may need -> the module that has it; loaded when it is asked for."""


def __getattr__(name: str) -> object:
    """Load what a tool imports from here, so that commands do not load it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
