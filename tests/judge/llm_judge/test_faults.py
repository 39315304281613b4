"""Planted faults: in the turn and nowhere else, repeatable, and only where they fit."""

from inspect import signature

import pytest

from judge.evaluations.llm.blind import blind_turn
from judge.evaluations.llm.faults import EXIT_ARGUMENTS, FAULTS, planted
from judge.evaluations.llm.rubric import shipped_rubric
from tests.judge.llm_judge.recorded import recorded_turns, waiting, with_buy
from trading_tools.catalogue.execute_trade import execute_trade

DONE = "## What the agent did"


def test_faults_are_those_of_the_rubric() -> None:
    """Each is found by one question, and each question has one."""
    named = {fault for question in shipped_rubric().questions for fault in question.faults}

    assert named == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_changes_what_the_agent_did_and_nothing_else(fault: str) -> None:
    """What it was shown, its ids and its twin stay as they were; twice gives the same."""
    places = 0
    for turn in recorded_turns():
        before = turn.model_dump_json()
        changed = planted(turn, fault)
        assert before == turn.model_dump_json()
        if changed is None:
            continue
        places += 1
        assert changed == planted(turn, fault)
        assert (turn.turn_id, turn.agent, turn.as_of) == (
            changed.turn_id,
            changed.agent,
            changed.as_of,
        )
        twin, shown = blind_turn(turn).text, blind_turn(changed).text
        assert twin.partition(DONE)[0] == shown.partition(DONE)[0]
        assert twin.partition(DONE)[2] != shown.partition(DONE)[2]
    assert places >= 3


@pytest.mark.parametrize("fault", ["size_times_ten", "ignored_refusal", "opposite_order"])
def test_fault_of_an_order_needs_a_filled_buy(fault: str) -> None:
    """A turn without an order has no place for it."""
    assert planted(waiting(), fault) is None
    assert planted(waiting().model_copy(update={"messages": ()}), fault) is None


def done(fault: str) -> str:
    """What the agent did, with a fault planted into a turn with a buy."""
    changed = planted(with_buy(), fault)
    assert changed is not None
    return blind_turn(changed).text.partition(DONE)[2]


def test_invented_price_is_not_in_the_prompt() -> None:
    """Every recorded turn has a price that no row shows."""
    for turn in recorded_turns():
        changed = planted(turn, "invented_price")
        assert changed is not None
        new = set(blind_turn(changed).text.split()) - set(blind_turn(turn).text.split())
        prices = [word.strip(".,") for word in new if word[:1].isdigit()]
        assert prices
        user = next(m.content for m in turn.messages if m.role == "user")
        assert all(price not in user for price in prices)


def test_size_is_ten_times_the_recorded_one() -> None:
    """Order and result agree with each other."""
    assert '"quantity":"0.7550"' in done("size_times_ten")
    assert "Bought 0.7550 BTC-USD" in done("size_times_ten")


def test_refused_order_is_repeated_or_reported_as_filled() -> None:
    """Both kinds are planted."""
    texts = [
        blind_turn(changed).text.partition(DONE)[2]
        for turn in recorded_turns()
        if (changed := planted(turn, "ignored_refusal")) is not None
    ]

    assert all("Rejected: insufficient cash" in text for text in texts)
    assert {True, False} == {text.count("Rejected: insufficient cash") == 2 for text in texts}


def test_exits_that_the_strategy_demands_are_missing() -> None:
    """The order is sent without them; where there is no such order, a rule is set aside."""
    text = done("against_own_rule")
    changed = planted(waiting(), "against_own_rule")

    assert changed is not None
    assert (
        "stop_loss_pct"
        not in text.partition("result:")[0]
        .partition("words: Reasoning")[2]
        .partition("\n")[2]
        .partition("\n")[0]
    )
    assert "rule" in blind_turn(changed).text.partition(DONE)[2]


def test_exits_are_those_of_the_tool() -> None:
    """An argument by another name would never be left out."""
    assert set(EXIT_ARGUMENTS) <= set(signature(execute_trade).parameters)


def test_opposite_order_sells_what_the_words_buy() -> None:
    """The result agrees with the order."""
    assert '"action":"sell"' in done("opposite_order")
    assert "Sold 0.0755 BTC-USD" in done("opposite_order")
