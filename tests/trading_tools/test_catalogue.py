"""The contract of every tool of the catalogue, and how tools are found."""

import importlib
from datetime import UTC, datetime

import pytest

from arena.account_state import Account
from arena.errors import UsageError
from arena.threads import WorkerThreads
from arena.wire import decode, encode
from trading_tools.candle_store import CandleStore
from trading_tools.context import AccountContext, Answer, MarketContext, Order, ToolContext
from trading_tools.portfolio import portfolio_of
from trading_tools.registry import (
    ANSWER_BYTES_MAX,
    PluginCalls,
    Tool,
    load_catalogue,
    tool,
    tool_of,
)
from trading_tools.schema import InvalidArguments

TOOLS = load_catalogue()
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CTX = ToolContext("momentum", "turn", "call", "snapshot", NOW)
MARKET_CTX = MarketContext("momentum", "turn", "call", "snapshot", NOW, CandleStore().view({}), {})
ACCOUNT_CTX = AccountContext(
    "momentum", "turn", "call", "snapshot", NOW, lambda: portfolio_of(Account(), {})
)


def test_catalogue_has_one_tool_per_file() -> None:
    """Files that start with an underscore are skipped."""
    assert [
        "calculator",
        "cancel_order",
        "compute_technical_metrics",
        "execute_trade",
        "get_performance_metrics",
        "get_portfolio",
        "get_risk_metrics",
        "get_transaction_history",
        "list_orders",
        "list_technical_metrics",
        "set_exit",
    ] == list(TOOLS)
    orders = {"execute_trade", "set_exit", "cancel_order"}
    reads = {name for name in TOOLS if name.startswith("get_")} | {"list_orders"}
    assert orders | reads == {n for n, t in TOOLS.items() if t.touches_account}
    assert orders == {n for n, t in TOOLS.items() if t.places_order}


@pytest.mark.parametrize("found", TOOLS.values(), ids=list(TOOLS))
def test_every_tool_is_described_for_a_model(found: Tool) -> None:
    """Description and parameters are there, plain, and travel as a message."""
    offered = found.offered(NOW)
    encoded = encode(offered)

    assert offered == decode(encoded.value, encoded.headers)
    assert 30 < len(offered.description) < 1_000
    properties = offered.parameters["properties"]
    assert isinstance(properties, dict)
    assert all(isinstance(p, dict) and p["description"] for p in properties.values())


@pytest.mark.parametrize("found", TOOLS.values(), ids=list(TOOLS))
@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', '{"expression": []}', "\x00"])
def test_every_tool_refuses_nonsense(found: Tool, text: str) -> None:
    """Arguments that do not fit are refused with a text, unless the tool takes none."""
    arguments = found.signature.read(text)
    if isinstance(arguments, InvalidArguments):
        assert arguments.reason
        return
    ctx = MARKET_CTX if found.uses_candles else CTX
    outcome = found.call(ACCOUNT_CTX if found.touches_account else ctx, arguments)

    assert isinstance(outcome, Answer)


def test_template_is_a_valid_tool() -> None:
    """A copy of the template works as it is."""
    template = importlib.import_module("trading_tools.catalogue._template")
    found = tool_of(template._template)

    assert Answer("a a", {"repeated": "a a", "asked_by": "momentum"}) == found.call(
        CTX, {"word": "a", "times": 2}
    )


def test_calculator_answers() -> None:
    """A result comes with its expression, an error with its remedy."""
    calculator = TOOLS["calculator"]

    assert Answer("0.1 + 0.2 = 0.3", {"result": "0.3"}) == calculator.call(
        CTX, {"expression": " 0.1 + 0.2"}
    )
    refused = calculator.call(CTX, {"expression": "9**9**9"})
    assert isinstance(refused, Answer)
    assert "bad_expression" == refused.error


def test_exception_in_a_tool_becomes_an_answer() -> None:
    """An extension that fails, or returns nonsense, does not stop the process."""

    @tool(touches_account=False)
    def broken(ctx: ToolContext, how: str) -> Answer:
        """Break in a way.

        Args:
            ctx: Who calls.
            how: Which way.
        """
        if how == "raise":
            raise KeyError("secret")
        if how == "huge":
            return Answer("x" * ANSWER_BYTES_MAX)
        if how == "surrogate":
            return Answer("\ud800")
        return None  # type: ignore[return-value]

    found = tool_of(broken)
    answers = [found.call(CTX, {"how": how}) for how in ("raise", "huge", "surrogate", "none")]

    assert ["tool_failed"] * 4 == [a.error for a in answers if isinstance(a, Answer)]
    assert not any("secret" in a.text for a in answers if isinstance(a, Answer))


def test_failing_order_tool_gives_a_rejection() -> None:
    """An order tool that fails gives the executor a reason to reject the order."""

    @tool(touches_account=True)
    def all_in(ctx: AccountContext) -> Order:
        """Buy everything."""
        raise ZeroDivisionError

    found = tool_of(all_in)

    assert found.places_order
    assert InvalidArguments("the tool failed with ZeroDivisionError") == found.call(ACCOUNT_CTX, {})


async def test_tool_may_be_a_coroutine() -> None:
    """A tool that touches no account may be a coroutine."""

    @tool(touches_account=False)
    async def ask(ctx: ToolContext) -> Answer:
        """Ask somebody."""
        return Answer("yes")

    assert Answer("yes") == await tool_of(ask).call_async(CTX, {}, PluginCalls(WorkerThreads()))


def test_marks_and_annotations_must_agree() -> None:
    """A tool with the wrong context, or a coroutine that touches accounts, is refused."""

    @tool(touches_account=True)
    def wrong_context(ctx: ToolContext) -> Answer:
        """Do nothing."""
        return Answer("")

    @tool(touches_account=True)
    async def waits(ctx: AccountContext) -> Answer:
        """Do nothing."""
        return Answer("")

    @tool(touches_account=False)
    def orders(ctx: ToolContext) -> Order:
        """Do nothing."""
        raise AssertionError

    for function in (wrong_context, waits, orders):
        with pytest.raises(UsageError):
            tool_of(function)
