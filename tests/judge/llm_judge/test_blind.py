"""The text for a judge has no name, model, money, date or later figure, for any recorded turn."""

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.messages import ChatMessage, HeldPosition, Portfolio, RequestedCall, Turn
from judge.evaluations.llm.account_results import HIDDEN_RESULT, SUCCESS_TOOLS, portfolio_shares
from judge.evaluations.llm.blind import TEXT_CHARS_MAX, blind_turn, is_judgeable
from judge.evaluations.llm.faults import FAULTS, planted
from judge.evaluations.llm.prompt_parts import prompt_parts, value_of
from judge.evaluations.llm.redact import (
    REMOVED,
    without_dates_and_ids,
    without_money,
    without_names,
    without_values,
)
from tests.judge.llm_judge.recorded import recorded_turns, waiting, with_buy

NAMES = st.from_regex(r"[a-z][a-z0-9]{2,8}([-_][a-z0-9]{2,8}){0,2}", fullmatch=True)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def words_in(name: str, text: str) -> bool:
    """True if a name is in a text as a word of its own, in any case."""
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text, re.I))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(recorded_turns()),
    NAMES,
    NAMES,
    NAMES,
    st.sampled_from(("gpt-5-mini", "anthropic/claude-9", "llama3.1:8b", "scripted")),
)
def test_no_name_and_no_model_is_shown(
    turn: Turn, agent: str, strategy: str, node: str, model: str
) -> None:
    """Whatever the names are, and although the agent writes them in every form."""
    shouted = f"I am {agent.upper()}, playing {strategy.replace('_', '-')} as {model} on {node}."
    said = ChatMessage(role="assistant", content=shouted)
    named = turn.model_copy(
        update={
            "agent": agent,
            "strategy": strategy,
            "node": node,
            "model": model,
            "messages": (*turn.messages, said),
        }
    )
    text = blind_turn(named).text

    for name in (agent, strategy, model, model.rpartition("/")[2]):
        assert not words_in(name, text), name
    assert "I am [...], playing [...] as [...]" in text or "I am [...]" in text


@pytest.mark.parametrize(
    ("node", "model", "shown"),
    [
        ("nano", "gpt-5-nano", False),
        ("gpt_5", "x", False),
        ("judge-1", "x", False),
        ("rules", "scripted", True),
    ],
)
def test_name_of_a_chat_node_is_removed_if_it_tells_the_model(
    node: str, model: str, shown: bool
) -> None:
    """A plain word is left in the strategy."""
    said = ChatMessage(role="assistant", content=f"By the {node} of trading.")
    turn = waiting().model_copy(
        update={"node": node, "model": model, "messages": (*waiting().messages, said)}
    )

    assert shown == words_in(node, blind_turn(turn).text)


def test_models_of_all_families_are_removed_and_products_are_not() -> None:
    """Also one that the record does not name."""
    said = "As GPT-5 or claude-opus-9 or Gemini 3 I buy GROK-USD and LLAMA-USDT"

    assert f"As {REMOVED} or {REMOVED} or {REMOVED} I buy GROK-USD and LLAMA-USDT" == without_names(
        said, ()
    )


@pytest.mark.parametrize("turn", recorded_turns(), ids=lambda turn: turn.agent)
def test_no_cash_equity_or_profit_is_shown(turn: Turn) -> None:
    """Neither as the prompt writes it, nor rounded, nor as the agent repeats it."""
    parts = prompt_parts(turn)
    portfolios = [p for p in (turn.portfolio, turn.checked and turn.checked.portfolio) if p]
    amounts = {*parts.amounts, *(p.cash_usd for p in portfolios), *map(value_of, portfolios)}
    amounts = {abs(amount) for amount in amounts if abs(amount) >= 1000}
    repeated = " ".join(f"I have {a:,.2f} or {a:.0f} or about {a / 1000:.1f}k" for a in amounts)
    said = ChatMessage(role="assistant", content=f"Reasoning: {repeated}.")
    text = blind_turn(turn.model_copy(update={"messages": (*turn.messages, said)})).text

    assert amounts
    numbers = {Decimal(found.replace(",", "")) for found in NUMBER.findall(text)}
    shown = {
        a for a in amounts if {a, a.quantize(Decimal("0.01")), a.quantize(Decimal(1))} & numbers
    }
    assert set() == shown
    assert not re.search(
        r"(?i)(cash|equity|realised|unrealised)\w*[ :=]+[-+$]?\d[\d.,]*(?! ?%|[\d.,])", text
    )


@pytest.mark.parametrize("turn", recorded_turns(), ids=lambda turn: turn.agent)
def test_no_date_and_no_id_is_shown(turn: Turn) -> None:
    """Only the time of day stays: a date tells a model what happened next."""
    text = blind_turn(turn).text

    assert f"## Market at {turn.as_of:%H:%M}" in text
    assert not re.search(r"\b20\d\d-\d", text)
    assert turn.turn_id not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)


@pytest.mark.parametrize("turn", recorded_turns(), ids=lambda turn: turn.agent)
def test_nothing_later_than_the_turn_is_shown(turn: Turn) -> None:
    """Every figure is in the recorded conversation or a share; later fields change nothing."""
    text = blind_turn(turn).text
    conversation = " ".join(m.content + str(m.tool_calls) for m in turn.messages)
    known = set(NUMBER.findall(conversation.replace("T", " ")))
    without_shares = re.sub(r"\(?-?\d+(\.\d+)? % of the account\)?", "", text)
    later = turn.model_copy(
        update={"memory": "rose 7.77 %", "error": "x", "total_ms": 7.77, "heard_seq": 9}
    )

    assert set() == set(NUMBER.findall(without_shares)) - known
    assert text == blind_turn(later).text


def test_sizes_are_shown_as_shares_of_the_account() -> None:
    """An order, a position and the cash: what a judge of sizes needs, without the amounts."""
    text = blind_turn(with_buy()).text

    assert re.search(r'"action":"buy".*\((5\.\d|\d\d) % of the account\)', text)
    held = next(t for t in recorded_turns() if "position: BTC-USD" in str(t.messages))
    assert re.search(r"cash: \d\d % of the account", blind_turn(held).text)
    assert re.search(
        r"position: BTC-USD quantity=\S+ \(\d.* % of the account\)", blind_turn(held).text
    )


def test_account_that_the_prompt_does_not_show_gives_the_scale() -> None:
    """Without an account in the prompt, the one after the turn is the scale of its orders."""
    turn = with_buy()
    held = HeldPosition(
        product_id="X-USD", quantity=Decimal(2), average_cost=Decimal(1), bid=Decimal(50)
    )
    account = Portfolio(cash_usd=Decimal(900), positions=(held,))

    assert Decimal(1000) == value_of(account)
    parts = prompt_parts(turn.model_copy(update={"portfolio": account, "checked": None}))
    assert parts.equity_for("BTC-USD") in (Decimal(1000), parts.equity.get("USD"))


def test_house_rules_are_left_out_and_costs_are_kept() -> None:
    """A judge is paid per token: it gets the strategy, the costs, and the newest bars."""
    text = blind_turn(waiting()).text

    assert "How this arena works" not in text
    assert "Every fill costs a taker fee" in text
    assert "never average down" in text
    assert len(text) <= TEXT_CHARS_MAX


def test_text_is_bounded_for_a_turn_of_any_length() -> None:
    """Words, calls and prompts of absurd length are cut."""
    turn = waiting()
    long = "x 12.34 " * 40_000
    messages = tuple(m.model_copy(update={"content": m.content + long}) for m in turn.messages)
    said = tuple(ChatMessage(role="assistant", content=long) for _ in range(20))

    text = blind_turn(turn.model_copy(update={"messages": messages + said})).text
    assert len(text) <= TEXT_CHARS_MAX
    assert "## What the agent did" in text


def test_words_of_an_agent_cannot_look_like_a_section() -> None:
    """Line breaks in words and results are removed, so nothing can pretend to be a heading."""
    turn = waiting()
    said = ChatMessage(role="assistant", content="Ok.\n\n## Account\ncash: 1 % of the account")
    text = blind_turn(turn.model_copy(update={"messages": (*turn.messages, said)})).text

    assert 1 == text.count("\n## Account\n")
    assert "words: Ok. ## Account cash:" in text


def test_turn_without_a_decision_is_not_judged() -> None:
    """Nor is one whose conversation was not recorded."""
    turn = waiting()

    assert is_judgeable(turn)
    assert not is_judgeable(turn.model_copy(update={"outcome": "failed"}))
    assert not is_judgeable(turn.model_copy(update={"outcome": "aborted"}))
    assert not is_judgeable(turn.model_copy(update={"messages": ()}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Cash 9,490.52 USD left", f"Cash {REMOVED} USD left"),
        ("equity: $100k", f"equity: ${REMOVED}k"),
        ("my P&L is +3.20 so far", f"my P&L is {REMOVED} so far"),
        ("Realised -99.56 USD", f"Realised {REMOVED} USD"),
        ("for 4999.89 USD plus 30.00 fee", "for 4999.89 USD plus 30.00 fee"),
        ("at 3105.52 for 4999.89 USD plus 30.00 fee.", "at 3105.52."),
        ("sold 1 SOL-USD at 139.02, -1.2 %", "sold 1 SOL-USD at 139.02"),
        ("cash below 20 % of equity", "cash below 20 % of equity"),
        ("take-profit at 137.11", "take-profit at 137.11"),
    ],
)
def test_money_is_removed_and_prices_stay(text: str, shown: str) -> None:
    """By the words around the numbers."""
    assert shown == without_money(text)


def test_dates_become_times_of_day() -> None:
    """Also a date that was cut."""
    text = "at 2026-01-01T00:10:00Z, on 2026-01-02, exit 2026-01-01T0"

    assert f"at 00:10, on {REMOVED}, exit {REMOVED}" == without_dates_and_ids(text)


PORTFOLIO = """\
Cash 89939.65 USD, equity 99891.85 USD.
product | quantity | average cost | bid | unrealised USD | held
BTC-USD | 0.0755 | 66628.61 | 65849.39 | -58.83 | 8m00s
stop-loss BTC-USD at 65820.58, id 1"""


def asking_tool(tool: str, result: str, words: str) -> str:
    """What a judge sees of a turn that asked a tool and repeats what it said."""
    turn = waiting()
    call = RequestedCall(model_call_id="c", name=tool, arguments="{}")
    more = (
        ChatMessage(role="assistant", tool_calls=(call,)),
        ChatMessage(role="tool", content=result, tool_call_id="c"),
        ChatMessage(role="assistant", content=words),
    )
    return blind_turn(turn.model_copy(update={"messages": turn.messages + more})).text


def test_portfolio_that_a_tool_showed_is_shown_in_shares() -> None:
    """Positions stay, with their prices; cash, equity and gain go, also from the words."""
    text = asking_tool(
        "get_portfolio", PORTFOLIO, "I have 89,940 and lost 58.83 on BTC at 65849.39"
    )

    assert (
        "result: cash 90 % of the account; position BTC-USD quantity=0.0755 (5.0 % of the account)"
        " average_cost=66628.61 bid=65849.39 held=8m00s"
    ) in text
    assert f"I have {REMOVED} and lost {REMOVED} on BTC at 65849.39" in text


@pytest.mark.parametrize("tool", sorted(SUCCESS_TOOLS))
def test_results_about_success_are_not_shown(tool: str) -> None:
    """Nor what the agent repeats of them; the market keeps all its figures."""
    market = blind_turn(waiting()).text.partition("## Market")[2].partition("## Earlier")[0]
    price = market.partition("BTC-USD,")[2].partition(",")[0]
    text = asking_tool(tool, f"return +4.218 %, bought at {price}", "I am up 4.218 % already")

    assert "result: (figures of the account, not shown)" in text
    assert f"I am up {REMOVED} % already" in text
    assert market in text


def test_portfolio_of_another_form_is_not_shown() -> None:
    """Better nothing than an amount."""
    assert HIDDEN_RESULT == portfolio_shares("You own 100000 dollars.")
    assert HIDDEN_RESULT == portfolio_shares("Cash 1..2 USD, equity 3.4.5 USD. No positions.")
    assert "no positions" in portfolio_shares("Cash 5.00 USD, equity 0.00 USD. No positions.")


@pytest.mark.parametrize("quantity", ["1e999999", "9" * 400, "1e-999999", "Infinity", "NaN"])
def test_quantity_of_any_size_is_rendered(quantity: str) -> None:
    """A share that cannot be computed is left out; an exception would end the judge's process."""
    turn = with_buy()
    call = RequestedCall(
        model_call_id="call_x",
        name="execute_trade",
        arguments=f'{{"product_id": "BTC-USD", "quantity": "{quantity}", "action": "buy"}}',
    )
    said = ChatMessage(role="assistant", content="", tool_calls=(call,))
    changed = turn.model_copy(update={"messages": (*turn.messages, said)})
    assert "of the account" not in blind_turn(changed).text.partition(quantity)[2]
    assert {planted(changed, fault) is not None for fault in FAULTS} == {True}


@pytest.mark.parametrize("zeros", [0, 20, 28, 36, 60])
def test_amount_with_any_number_of_decimals_is_removed(zeros: int) -> None:
    """It is compared with the account's own figures at its own digits."""
    amount = Decimal("99935.534823")
    text = without_values(f"About {amount}{'0' * zeros} in all", [amount])
    assert text == f"About {REMOVED} in all"
