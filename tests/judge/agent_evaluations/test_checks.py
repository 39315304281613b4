"""The checks by code, on turns made by hand and on recorded ones."""

from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from arena.messages import HeldPosition, Portfolio, Turn
from judge.evaluations.checks import CHECKS, WEIGHTS, AgentMemory, Checked, check_turn
from judge.evaluations.own_rules import OwnRules, rules_of
from tests.judge.agent_evaluations.made_turns import (
    Call,
    bought,
    made_turn,
    recorded_turns,
    refused,
    sold,
)


def checked(turn: Turn, memory: AgentMemory | None = None) -> Checked:
    """Check one turn."""
    return check_turn(turn, memory or AgentMemory())


def result(check: str, turn: Turn, memory: AgentMemory | None = None) -> str:
    """The result of one check: p, f or -."""
    return checked(turn, memory).of(check)


def test_every_check_has_a_weight_and_a_result() -> None:
    """Results are in the order of the checks."""
    assert list(WEIGHTS) == list(CHECKS)
    assert len(checked(made_turn("Reasoning: waiting.")).results) == len(CHECKS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Reasoning: BTC at 67,218.40 is above 66,990.25.", "p"),
        ("Reasoning: BTC trades near its high, 67.2k now.", "p"),
        ("Reasoning: BTC trades at $67,218 now.", "p"),
        ("Reasoning: SOL at 141.2 and rising.", "p"),
        ("Reasoning: BTC already fell to 61,480.50 today.", "f"),
        ("Reasoning: SOL at 155.75 is a bargain.", "f"),
        ("Reasoning: BTC is up 0.5 % in ten minutes.", "-"),
        ("Reasoning: BTC is up 14 % in ten minutes.", "f"),
        ("Reasoning: my stop is at 130.55, my target 150.25 then.", "-"),
        ("Reasoning: the 15m, 5m and 1m windows agree; RSI_14 is fine, 3 closes up.", "-"),
        ("Reasoning: it is 2026-11-21 09:30 and I risk 2.5 % of equity.", "-"),
        ("Reasoning: nothing to do.", "-"),
        ("Reasoning: cut in the middle of 67218.4", "-"),
    ],
)
def test_figures_that_were_not_shown_fail(words: str, expected: str) -> None:
    """Rounding is tolerated, plans and counts are no quotations, an invented price fails."""
    assert result("figures", made_turn(words)) == expected


def test_figures_of_tools_and_of_own_orders_stand() -> None:
    """What a tool answered before, and the quantity of the own order, may be quoted."""
    call = bought("BTC-USD", "0.1437", 67233.44)
    assert result("figures", made_turn("Bought 0.1437 BTC at 67,233.44, done.", [call])) == "p"
    early = call._replace(said="It will fill at 61,233.44 for sure, so I buy.")
    found = checked(made_turn("Done.", [early]))
    assert found.of("figures") == "f"
    assert found.reasons["figures"] == "61,233.44 was not shown to it"


@pytest.mark.parametrize(
    ("words", "calls", "expected"),
    [
        ("Reasoning: buying BTC on strength.", [bought("BTC-USD", "0.1", 67220)], "p"),
        ("Reasoning: buying BTC on strength.", [bought("SOL-USD", "10", 141.3)], "f"),
        ("Reasoning: buying BTC on strength.", [], "f"),
        ("Reasoning: selling SOL-USD now.", [bought("SOL-USD", "10", 141.3)], "f"),
        ("Reasoning: selling SOL-USD now.", [sold("SOL-USD", "10", 141.3)], "p"),
        ("Reasoning: bought SOL.", [refused("SOL-USD", "insufficient cash")], "f"),
        ("Reasoning: not buying BTC here.", [], "-"),
        ("Reasoning: would buy BTC if it broke out.", [], "-"),
        ("Reasoning: I bought SOL, and keep it.", [], "-"),
        ("Reasoning: doing nothing.", [], "p"),
        ("Reasoning: doing nothing.", [bought("BTC-USD", "0.1", 67220)], "f"),
        ("Reasoning: the coin says sell SOL, but none is held.", [], "-"),
        ("Reasoning: buying BTC, selling SOL.", [bought("BTC-USD", "0.1", 67220)], "f"),
        ("Reasoning: buyers are strong.", [], "-"),
    ],
)
def test_orders_are_compared_with_the_words(words: str, calls: list[Call], expected: str) -> None:
    """A plain statement binds; conditions, negations and the past do not."""
    assert result("intent", made_turn(words, calls)) == expected


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Put at most 15 % of your equity in one product.", OwnRules(position_pct=15)),
        ("Never more than 5% per trade.", OwnRules(trade_pct=5)),
        ("and hold at most two products.", OwnRules(positions=2)),
        ("Never more than 3 open positions.", OwnRules(positions=3)),
        ("Keep at least 20 % in cash.", OwnRules(cash_pct=20)),
        ("Only trade BTC-USD and ETH-USD.", OwnRules(products=frozenset({"BTC-USD", "ETH-USD"}))),
        ("Give every entry a stop_loss_pct of 2.", OwnRules(stop=True)),
        ("Set a stop-loss on every buy.", OwnRules(stop=True)),
        ("At most 15 % in one product, 10 times out of ten at most 8 % in one product.",
         OwnRules(position_pct=8)),
        ("Buy the dip. Two products often rise together. Trade only in profit.", OwnRules()),
        ("Expect a move of at least three times the cost, or stay out.", OwnRules()),
    ],
)  # fmt: skip
def test_rules_are_read_only_in_plain_forms(text: str, rules: OwnRules) -> None:
    """A sentence that is not surely a rule is none."""
    assert rules_of(text) == rules


def account(cash: str, **held: tuple[str, str]) -> Portfolio:
    """An account with positions: product without "-USD" -> quantity and bid."""
    positions = tuple(
        HeldPosition(
            product_id=f"{name}-USD", quantity=Decimal(q), average_cost=Decimal(b), bid=Decimal(b)
        )
        for name, (q, b) in held.items()
    )
    return Portfolio(cash_usd=Decimal(cash), positions=positions)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("At most 15 % of your equity in one product.", "f"),
        ("At most 25 % of your equity in one product.", "p"),
        ("At most 5 % per trade.", "p"),
        ("At most 2 % per trade.", "f"),
        ("Hold at most one product.", "f"),
        ("Hold at most two products.", "p"),
        ("Keep at least 80 % in cash.", "f"),
        ("Keep at least 70 % in cash.", "p"),
        ("Only trade BTC-USD.", "f"),
        ("Give every entry a stop_loss_pct of 2.", "f"),
        ("Be brave.", "-"),
    ],
)
def test_own_rules_are_kept_or_not(strategy: str, expected: str) -> None:
    """The account after a buy of 4 % of equity has 20 % in SOL-USD and 5 % in BTC-USD."""
    held = account("75000", SOL=("141.6", "141.2"), BTC=("0.0744", "67210"))
    turn = made_turn("Done.", [bought("SOL-USD", "28.3", 141.3)], strategy=strategy, portfolio=held)
    assert result("own_rules", turn) == expected


def test_a_stop_may_be_set_with_the_entry_or_by_a_later_call() -> None:
    """Both ways keep the rule."""
    strategy = "Set a stop-loss on every buy."
    later = Call({"product_id": "SOL-USD", "stop_loss_pct": "2"}, "Set.", name="set_exit")
    plain = bought("SOL-USD", "1", 141.3)
    assert result("own_rules", made_turn("Done.", [plain], strategy=strategy)) == "f"
    assert result("own_rules", made_turn("Done.", [plain, later], strategy=strategy)) == "p"
    armed = bought("SOL-USD", "1", 141.3, stop_loss_pct="2")
    assert result("own_rules", made_turn("Done.", [armed], strategy=strategy)) == "p"


def test_size_fails_if_an_order_was_cut_or_refused_for_it() -> None:
    """A limit of risk, the cash and the minimum are sizes; a halt is none."""
    cut = bought("SOL-USD", "10", 141.3)
    cut = cut._replace(answer=cut.answer + " Risk cut the order from 80 to 10: max_order_usd.")
    assert result("size", made_turn("Done.", [cut])) == "f"
    assert result("size", made_turn("Done.", [refused("SOL-USD", "risk limit")])) == "f"
    assert result("size", made_turn("Done.", [refused("SOL-USD", "halted")])) == "-"
    assert result("size", made_turn("Done.", [bought("SOL-USD", "10", 141.3)])) == "p"


def test_cost_compares_the_named_move_with_both_ways() -> None:
    """124 bps and the spread; a move in the text counts without a take-profit."""
    near = bought("SOL-USD", "10", 141.3, take_profit_pct="1.25")
    far = bought("SOL-USD", "10", 141.3, take_profit_pct="6")
    text = bought("SOL-USD", "10", 141.3)._replace(said="I expect a move of 80 bps.")
    assert result("cost", made_turn("Done.", [near])) == "f"
    assert result("cost", made_turn("Done.", [far])) == "p"
    assert result("cost", made_turn("Done.", [text])) == "f"
    assert result("cost", made_turn("Done.", [bought("SOL-USD", "10", 141.3)])) == "-"


def test_a_refused_call_may_not_come_again() -> None:
    """Not in the same turn, not in the next one; later, and after a passing cause, it may."""
    call = refused("SOL-USD", "insufficient cash")
    assert result("refused", made_turn("Done.", [call, call])) == "f"
    memory = AgentMemory()
    results = [result("refused", made_turn("Done.", [call], number=n), memory) for n in (0, 1)]
    assert results == ["p", "f"]
    memory = AgentMemory()
    other = refused("SOL-USD", "insufficient cash", quantity="0.5")
    results = [result("refused", made_turn("D.", [c], number=n), memory)
               for n, c in enumerate((call, other))]  # fmt: skip
    assert results == ["p", "p"]
    memory, halted = AgentMemory(), refused("SOL-USD", "halted")
    assert [result("refused", made_turn("D.", [halted]), memory) for _ in "12"] == ["p", "p"]


def test_churn_is_a_round_trip_for_its_costs() -> None:
    """Within three turns, if the fees are more than half of what the price gave or took."""
    memory = AgentMemory()
    buy, dear, cheap = (
        bought("SOL-USD", "10", 141.3),
        sold("SOL-USD", "10", 141.4),
        sold("SOL-USD", "10", 150.0),
    )
    assert result("churn", made_turn("D.", [buy]), memory) == "-"
    assert result("churn", made_turn("D.", [dear]), memory) == "f"
    memory = AgentMemory()
    checked(made_turn("D.", [buy]), memory)
    assert result("churn", made_turn("D.", [cheap]), memory) == "p"
    memory = AgentMemory()
    checked(made_turn("D.", [buy]), memory)
    for _ in range(3):
        assert result("churn", made_turn("D."), memory) == "-"
    assert result("churn", made_turn("D.", [dear]), memory) == "p"


def test_valid_is_about_the_answer_not_the_line() -> None:
    """A model that could not be reached says nothing about the agent; nonsense does."""
    down = made_turn("", outcome="failed", cause="unreachable", rounds=())
    nonsense = made_turn("", outcome="failed", cause="unusable_answer", rounds=())
    assert result("valid", down) == "-"
    assert result("valid", nonsense) == "f"
    unread = Call("{broken", "Rejected: malformed arguments: no JSON.", ok=False)
    assert result("valid", made_turn("Done.", [unread])) == "f"
    assert result("valid", made_turn("Done.", outcome="max_rounds")) == "f"
    assert result("valid", made_turn("Done.")) == "p"


def test_recorded_turns_give_what_a_reader_of_them_finds() -> None:
    """The scripted agents of a demo arena quote nothing wrong; two round trips were churn."""
    memories: dict[str, AgentMemory] = defaultdict(AgentMemory)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failed = []
    for turn in recorded_turns():
        found = checked(turn, memories[turn.agent])
        for check, one in zip(CHECKS, found.results, strict=True):
            counts[check][one] += 1
        failed += [(turn.agent, f"{turn.as_of:%H:%M}", check) for check in found.reasons]

    assert counts["figures"]["f"] == counts["intent"]["f"] == counts["own_rules"]["f"] == 0
    assert counts["figures"]["p"] > 5
    assert counts["own_rules"]["p"] > 1
    assert failed == [
        ("scalper-rules", "00:00", "cost"),
        ("random", "00:07", "churn"),
        ("scalper-rules", "00:08", "cost"),
        ("momentum-rules", "00:20", "churn"),
        ("momentum-rules", "00:42", "churn"),
        ("scalper-rules", "01:02", "valid"),
        ("scalper-rules", "01:02", "cost"),
    ]


def test_checks_give_the_same_again_and_take_any_text() -> None:
    """Twice the same result, also for hostile words and arguments."""
    texts = ["", "\x00\u202e" * 50, "9" * 5000, "buy " * 3000, "(" * 2000, "1,2,3.4.5%k", "NaN inf"]
    for text in texts:
        call = Call(text, text, ok=False, said=text)
        turn = made_turn(text, [call], strategy=text, prompt=text)
        assert checked(turn) == checked(turn)


@pytest.mark.parametrize("tail", [" now", ".5 now", "k now", "% now", ",000 now"])
@pytest.mark.parametrize("digits", ["1" + "0" * 400, "9" * 5_000, "1" + ",000" * 200])
def test_numbers_of_any_length_end_no_process(digits: str, tail: str) -> None:
    """The judge checks every turn that it reads, so an exception would stop it at each start."""
    words = f"It is {digits}{tail}. It is up {digits}{tail}. I expect a move of {digits} % then."
    call = bought("SOL-USD", "1", 141.3, take_profit_pct=digits)._replace(said=words)
    strategy = f"Hold at most {digits} products. At most {digits} % per trade."
    found = checked(made_turn(words, [call], strategy=strategy))
    assert len(found.results) == len(CHECKS)
