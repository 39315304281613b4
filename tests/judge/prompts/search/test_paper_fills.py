"""Orders filled on paper, by the prices and the account of a prompt."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import HeldPosition, Portfolio, PortfolioOrder, RequestedCall
from judge.evaluations.checks import both_ways_bps
from judge.prompts.search.answer_checks import score_answer
from judge.prompts.search.paper_fills import FilledAnswer, fill_calls
from judge.prompts.search.recorded import Offered, recorded_prompts
from tests.judge.agent_evaluations.made_turns import PROMPT, recorded_turns
from tests.judge.prompts.search.searches import OFFERED, TEXT, prompts, reply, turn

TOOLS = frozenset({"execute_trade", "get_portfolio", "set_exit"})
COST = Decimal(62)
ASK, BID = Decimal("141.30"), Decimal("141.20")
ACCOUNT = Portfolio(
    cash_usd=Decimal(10_000),
    positions=(HeldPosition(product_id="SOL-USD", quantity=Decimal(5), average_cost=Decimal(140)),),
)


def order(quantity: object, action: str = "buy", product: str = "SOL-USD", **more: Any) -> Any:
    """The arguments of an order."""
    return {"product_id": product, "quantity": quantity, "action": action, **more}


def filled(*orders: Any, account: Portfolio | None = ACCOUNT, tool: str = "") -> FilledAnswer:
    """What would come of orders."""
    calls = [
        RequestedCall(
            model_call_id=f"m{n}",
            name=tool or "execute_trade",
            arguments=one if isinstance(one, str) else json.dumps(one),
        )
        for n, one in enumerate(orders)
    ]
    return fill_calls(calls, TOOLS, PROMPT, account, COST)


def test_orders_are_filled_at_the_shown_prices_one_after_the_other() -> None:
    """A buy at the ask, a sell at the bid, each with its costs."""
    found = filled(order("10"), order("50%", "sell"))
    assert found.portfolio is not None
    cash = 10_000 - 10 * ASK * (1 + COST / 10_000) + Decimal("7.5") * BID * (1 - COST / 10_000)
    assert abs(cash - found.portfolio.cash_usd) < Decimal("0.000001")
    (held,) = found.portfolio.positions
    assert (Decimal("7.5"), BID) == (held.quantity, held.bid)
    assert [True, True] == [one.ok for one in found.results]
    assert found.results[0].text.startswith("Bought 10.00000000 SOL-USD at 141.3 for 1413.00 USD")
    everything = filled(order("all"), order("all", "sell"))
    assert everything.portfolio is not None
    assert () == everything.portfolio.positions


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (order("71"), "insufficient cash"),
        (order("6", "sell"), "insufficient position"),
        (order("all", "sell", "BTC-USD"), "insufficient position: no BTC-USD is held"),
        (order("0"), "invalid quantity"),
        (order("-1", "sell"), "invalid quantity"),
        (order("much"), "invalid quantity"),
        (order("150%"), "invalid quantity"),
        (order("1e999999"), "invalid quantity"),
    ],
)
def test_orders_beyond_the_account_are_refused(asked: Any, reason: str) -> None:
    """With the reason that the executor gives; the account stays as it was."""
    found = filled(asked)
    assert found.is_known
    assert found.results[0].text.startswith(f"Rejected: {reason}")
    assert found.portfolio is not None
    assert ACCOUNT.cash_usd == found.portfolio.cash_usd


def test_what_cannot_be_said_stays_unknown() -> None:
    """Limit orders, exits, other products, unreadable arguments, and accounts that are unknown."""
    wallets = ACCOUNT.model_copy(update={"wallets": (ACCOUNT,)})
    limit = PortfolioOrder(
        order_id="o", order_type="limit", product_id="SOL-USD", action="buy", level=Decimal(1)
    )
    reserved = ACCOUNT.model_copy(update={"orders": (limit,)})
    stop = limit.model_copy(update={"order_type": "stop_loss"})
    for found in (
        filled(order("1", limit_price="140")),
        filled(order("1", product="DOGE-USD")),
        filled(order("1", "hold")),
        filled("{"),
        filled("[]"),
        filled(order("1"), tool="set_exit"),
        filled(order("1"), account=None),
        filled(order("1"), account=wallets),
        filled(order("1"), account=reserved),
    ):
        assert (False, None, True) == (found.is_known, found.portfolio, found.results[0].ok)
    assert filled(order("1"), account=ACCOUNT.model_copy(update={"orders": (stop,)})).is_known
    unknown = filled(order("1"), tool="short_sell")
    assert (True, False) == (unknown.is_known, unknown.results[0].ok)
    assert filled(tool="get_portfolio").is_known


@given(
    st.decimals("1e-8", "1e17", allow_nan=False, places=8),
    st.text("0123456789eE.-+%al", max_size=20),
    st.sampled_from(["buy", "sell", "BUY", ""]),
)
def test_any_order_of_any_account_gives_an_answer(
    amount: Decimal, quantity: str, action: str
) -> None:
    """Nothing is sold that is not held, nor bought beyond the cash."""
    account = Portfolio(
        cash_usd=amount,
        positions=(HeldPosition(product_id="SOL-USD", quantity=amount, average_cost=amount),),
    )
    found = filled(order(quantity, action), account=account)
    if found.portfolio is not None:
        assert found.portfolio.cash_usd >= amount * Decimal("-0.002")
        assert all(one.quantity > 0 for one in found.portfolio.positions)


def test_recorded_orders_are_filled_as_the_executor_did() -> None:
    """Cash differs by less than a thousandth of the equity."""
    compared = 0
    turns = [one for one in recorded_turns() if one.rounds]
    offered = {one.rounds[0].call_id: Offered() for one in turns}
    for agent in {one.agent for one in turns}:
        for one in recorded_prompts([t for t in turns if t.agent == agent], offered):
            messages = one.turn.messages
            answer = messages[1 + len(one.shown)]
            costs = Decimal(both_ways_bps(messages[0].content)) / 2
            shown = "\n".join(message.content for message in one.shown)
            found = fill_calls(answer.tool_calls, TOOLS, shown, one.account, costs)
            after = one.turn.portfolio
            if not (answer.tool_calls and found.portfolio and after and len(one.turn.rounds) == 2):
                continue
            compared += 1
            equity = after.cash_usd + sum(
                (held.quantity * (held.bid or 0) for held in after.positions), Decimal(0)
            )
            assert abs(after.cash_usd - found.portfolio.cash_usd) < equity / 1_000
            assert [held.product_id for held in after.positions] == [
                held.product_id for held in found.portfolio.positions
            ]
    assert compared >= 7


def test_size_and_own_rules_are_checked_on_paper() -> None:
    """The account of the turn before is the one that a prompt shows."""
    first = turn(0).model_copy(update={"portfolio": ACCOUNT})
    _, prompt = recorded_prompts([first, turn(1)], {f"call-{n}": OFFERED for n in range(2)})
    assert ACCOUNT == prompt.account
    rule = TEXT + "At most 15 % of your equity in one product.\n"
    small, large, huge = (order(quantity) for quantity in ("2", "30", "500"))
    kept = score_answer(prompt, rule, TEXT, reply("", small))
    broken = score_answer(prompt, rule, TEXT, reply("", large))
    refused = score_answer(prompt, rule, TEXT, reply("", huge))
    assert ({}, 1) == (kept.reasons, kept.orders)
    assert ({"own_rules"}, 1) == (set(broken.reasons), broken.orders)
    assert "SOL-USD is 4" in broken.reasons["own_rules"]
    assert ("insufficient cash" in refused.reasons["size"], 0) == (True, refused.orders)
    (unknown,) = prompts(1)
    assert {} == score_answer(unknown, rule, TEXT, reply("", huge)).reasons


def test_account_is_unknown_after_a_turn_that_was_aborted() -> None:
    """What it ordered may have been filled."""
    first = turn(0).model_copy(update={"portfolio": ACCOUNT})
    aborted = turn(1).model_copy(update={"outcome": "aborted", "portfolio": ACCOUNT})
    found = recorded_prompts([first, aborted, turn(2)], {f"call-{n}": OFFERED for n in range(3)})
    assert [None, None] == [one.account for one in found]
