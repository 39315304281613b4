"""Results of account tools for a judge: shares instead of amounts, or nothing. Pure.

`get_portfolio` says what the agent held, which a judge of sizes needs; the text is that of
`trading_tools`. Results about success (performance, risk, past fills) are not shown at all.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from arena.messages import Turn
from arena.messages.tools import PORTFOLIO_TOOL
from judge.evaluations.llm.prompt_parts import decimal_of, percent_text
from judge.evaluations.llm.redact import numbers_of

SUCCESS_TOOLS = frozenset(
    {"get_performance_metrics", "get_risk_metrics", "get_transaction_history"}
)
HIDDEN_RESULT = "(figures of the account, not shown)"
CELLS = 6
"""Product, quantity, average cost, bid, unrealised gain, time held."""

_CASH = re.compile(
    r"^Cash (?P<cash>\d+(?:\.\d+)?) (?P<unit>\w+)(?P<aside>.*), equity (?P<equity>\d+(?:\.\d+)?) "
)
_CASH_AFTER = re.compile(r"\s*\bCash [-\d.,]+ [A-Z]+\.")
_REALISED = re.compile(r"\s*\bRealised [-+\d.,]+ [A-Z]+\.")


def without_amounts(text: str) -> str:
    """The result of an order without the cash that is left and what was gained."""
    return _REALISED.sub("", _CASH_AFTER.sub("", text))


def portfolio_shares(text: str) -> str:
    """The result of `get_portfolio` in shares of the account."""
    found: list[str] = []
    equity = Decimal(0)
    for line in text.splitlines():
        if match := _CASH.match(line):
            cash, equity = Decimal(match["cash"]), Decimal(match["equity"])
            found.append(f"cash {_share(cash, equity)}")
            if "No positions" in line:
                found.append("no positions")
        elif (cells := line.split(" | ")) and len(cells) == CELLS and cells[0] != "product":
            found.append(_position(cells, equity))
    return "; ".join(found) or HIDDEN_RESULT


def _position(cells: list[str], equity: Decimal) -> str:
    product, quantity, cost, bid, _, held = cells
    number, price = decimal_of(quantity), decimal_of(bid)
    share = ""
    if number is not None and price is not None:
        share = f" ({_share(number * price, equity)})"
    return (
        f"position {product} quantity={quantity}{share} average_cost={cost} bid={bid} held={held}"
    )


def _share(amount: Decimal, equity: Decimal) -> str:
    return f"{percent_text(amount * 100 / equity)} of the account" if equity else "unknown"


def account_numbers(turn: Turn) -> list[Decimal]:
    """The amounts of money in the turn's results: cash, equity, gains."""
    found: list[Decimal] = []
    for tool, content in _results(turn):
        if tool == PORTFOLIO_TOOL:
            for line in content.splitlines():
                if _CASH.match(line):
                    found += numbers_of(line)
                elif len(cells := line.split(" | ")) == CELLS:
                    found += numbers_of(cells[4])
        for pattern in (_CASH_AFTER, _REALISED):
            for text in pattern.findall(content):
                found += numbers_of(text)
    return found


def success_numbers(turn: Turn) -> list[Decimal]:
    """All numbers of results about the account's success, which the agent may repeat."""
    return [
        number
        for tool, content in _results(turn)
        if tool in SUCCESS_TOOLS
        for number in numbers_of(content)
    ]


def _results(turn: Turn) -> Iterator[tuple[str, str]]:
    """Tool and text of the results of a turn."""
    tools: dict[str, str] = {}
    for message in turn.messages:
        tools |= {call.model_call_id: call.name for call in message.tool_calls}
        if message.role == "tool":
            yield tools.get(message.tool_call_id or "", ""), message.content
