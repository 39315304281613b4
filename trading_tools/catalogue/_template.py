"""A tool to copy: rename the file and the function to the tool's name.

The signature becomes the JSON schema, and models read the docstring: say what the tool does and
when to use it, and describe each argument on a line of its own. Annotate a decimal as
`ExactDecimal`. A tool that uses closed candles annotates `ctx` as `MarketContext`, and reads
`ctx.candles`: the minutes up to the agent's snapshot, for example `ctx.candles.minutes("BTC-USD")`.
"""

from trading_tools.context import Answer, ToolContext
from trading_tools.registry import tool


@tool(touches_account=False)
def _template(ctx: ToolContext, word: str, times: int = 1) -> Answer:
    """Repeat a word.

    Args:
        ctx: Who calls; models never see it.
        word: What to repeat.
        times: How often, from 1 to 10.
    """
    if not 1 <= times <= 10:
        return Answer(f"times was {times}; give 1 to 10.", error="bad_times")
    repeated = " ".join([word] * times)
    return Answer(repeated, {"repeated": repeated, "asked_by": ctx.agent})
