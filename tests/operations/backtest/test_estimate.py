"""What a run will ask of its models, before anything is asked."""

from decimal import Decimal

import pytest

from arena.messages import Gates
from arena.model_prices import own_price
from operations.backtest.estimate import (
    REPLY_TOKENS,
    RESULT_TOKENS,
    Asked,
    AskedAgent,
    Season,
    asked_of,
    decisions_of,
    estimate_of,
)

WEEK = Season(snapshots=7 * 24, interval_s=3600)
PRICE = own_price(Decimal(1), Decimal(4))


def agent(**changes: object) -> AskedAgent:
    """An agent with a first prompt of 1,000 tokens."""
    known: dict[str, object] = {
        "agent": "mo",
        "node": "nano",
        "model": "gpt-5-nano",
        "price": PRICE,
        "cadence": 1,
        "gates": None,
        "prompts": (1_000,),
    }
    return AskedAgent(**(known | changes))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("cadence", "gates", "expected"),
    [
        (1, None, 168),
        (4, None, 42),
        (5, None, 34),
        (1, Gates(every_s=4 * 3600), 42),
        (1, Gates(every_s=1.5 * 3600), 84),
        (6, Gates(every_s=4 * 3600), 28),
        (1, Gates(decisions_max=50), 50),
        (1, Gates(every_s=24 * 3600, decisions_max=50), 7),
    ],
)
def test_decisions_follow_from_cadence_and_gates(
    cadence: int, gates: Gates | None, expected: int
) -> None:
    """Whole snapshots pass between two decisions."""
    assert decisions_of(WEEK, cadence, gates) == expected


def test_a_decision_is_its_first_prompt_and_one_more_call() -> None:
    """The second call repeats the first with its answer and the results of tools."""
    found = asked_of(agent(), WEEK)
    assert (found.decisions, found.calls) == (168, 336)
    assert found.tokens_in == 168 * (2_000 + REPLY_TOKENS + RESULT_TOKENS)
    assert found.tokens_out == 336 * REPLY_TOKENS
    cost = Decimal(found.tokens_in + 4 * found.tokens_out) / 1_000_000
    assert found.cost_usd == cost
    several = asked_of(agent(prompts=(500, 700), reply_max=100), WEEK)
    assert several.calls == 3 * 168
    assert several.tokens_in == 168 * (500 + 700 + 700 + 100 + RESULT_TOKENS)
    assert several.tokens_out == several.calls * 100


def test_caps_on_calls_bound_calls_and_decisions() -> None:
    """Ten calls a day are five decisions."""
    found = asked_of(agent(gates=Gates(calls_per_day_max=10)), WEEK)
    assert (found.decisions, found.calls) == (35, 70)
    hourly = asked_of(agent(gates=Gates(calls_per_hour_max=1)), WEEK)
    assert hourly.calls == 168


def test_models_are_summed_and_unknown_prices_are_said() -> None:
    """The sum is unknown with them; a budget says whether it is reached."""
    known = estimate_of([agent(), agent(agent="brain")], WEEK, budget_usd=Decimal("0.50"))
    one = asked_of(agent(), WEEK)
    assert known.total == one.plus(one)
    assert known.models == {("nano", "gpt-5-nano"): one.plus(one)}
    assert any("llm_budget_usd = 0.50 is reached before the end" in r for r in known.remarks)
    both = estimate_of([agent(), agent(node="own", model="mine", price=None)], WEEK)
    assert both.total.cost_usd is None
    assert both.total.calls == 2 * one.calls
    assert any("The price of mine is not known" in remark for remark in both.remarks)
    assert both.document()["models_without_price"] == ["mine"]
    assert [row[0] for row in both.rows] == ["gpt-5-nano (nano)", "mine (own)", "all"]
    assert both.rows[1][-1] == "unknown"


def test_scripted_models_cost_nothing() -> None:
    """Nothing is asked."""
    found = estimate_of((), WEEK)
    assert found.total == Asked()
    assert found.remarks == ("No model is asked: rules or recorded replies answer.",)


def test_what_gates_leave_open_is_said() -> None:
    """Moves and causes are not known before a run."""
    gates = Gates(on_move_pct=Decimal(1), wake_on=("fill",))
    words = " ".join(estimate_of([agent(gates=gates)], WEEK).remarks)
    assert "moves are not known in advance" in words
    assert "wake_on may add" in words
