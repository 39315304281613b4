"""The tool for arithmetic: decimal, and bounded by construction."""

from trading_tools.context import Answer, ToolContext
from trading_tools.expression import ExpressionError, evaluate, result_text
from trading_tools.registry import tool


@tool(touches_account=False)
def calculator(ctx: ToolContext, expression: str) -> Answer:
    """Evaluate an arithmetic expression exactly, in decimals.

    Knows + - * / // % **, parentheses, and min, max, abs, round, sqrt, ln, exp. There are no
    variables: write the numbers in.

    Args:
        ctx: Who calls; models never see it.
        expression: Such as "0.25 * 97228.12 / 67203.55" or "round(min(3, 4) / 7, 6)".
    """
    try:
        text = result_text(evaluate(expression))
    except ExpressionError as error:
        return Answer(f"calculator: {error}.", error="bad_expression")
    return Answer(f"{expression.strip()} = {text}", {"result": text})
