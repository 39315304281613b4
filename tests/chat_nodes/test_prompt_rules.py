"""Scripted rules obey what a strategy's text demands in the sentences that they can read."""

from decimal import Decimal

import pytest

from arena.messages import ChatMessage, Template
from chat_nodes.decision_context import DecisionContext
from chat_nodes.prompt_reader import PromptAccount, PromptMarket, PromptPosition, PromptQuote
from chat_nodes.prompt_rules import NO_RULES, PromptRules, read_rules
from chat_nodes.scripted.strategies import RECKLESS_CLAIM, reckless
from judge.prompts.templates import DECISIONS, NAMES, TEMPLATES, compose
from routers.strategy import load_strategy

QUOTE = PromptQuote("BTC-USD", Decimal(100), Decimal(100), Decimal(100), False)


def rules_of(text: str) -> PromptRules:
    """The rules in a system message."""
    return read_rules([ChatMessage(role="system", content=text)])


def context(
    rules: PromptRules, cash: str = "1000", held: str = "0", held_s: int = 60
) -> DecisionContext:
    """An account with cash and a position at 100, without costs."""
    position = PromptPosition("BTC-USD", Decimal(held), Decimal(100), held_s)
    positions = {"BTC-USD": position} if Decimal(held) else {}
    equity = Decimal(cash) + Decimal(held) * 100
    account = PromptAccount(Decimal(cash), equity, positions)
    return DecisionContext(PromptMarket("", {"BTC-USD": QUOTE}, {}), account, Decimal(0), "", rules)


@pytest.mark.parametrize(
    ("template", "share", "cash"),
    [("conservative", "0.15", "0.2"), ("standard", "0.3", "0.15"), ("aggressive", "0.5", "0.1")],
)
def test_templates_are_read(template: Template, share: str, cash: str) -> None:
    """Those of the coach, in its own sentences."""
    found = rules_of(compose("Buy.\n", template))
    assert (Decimal(share), Decimal(cash)) == (found.share_max, found.cash_min)
    assert set(NAMES) == set(TEMPLATES)


def test_rules_about_decisions_are_read() -> None:
    """Where a check failed, its rule is obeyed."""
    found = rules_of(compose("Buy.\n", "", ["figures", "churn"]))
    assert found.only_shown_figures
    assert found.keeps_what_it_bought
    assert NO_RULES == rules_of(compose("Buy.\n", "", [n for n in DECISIONS if n == "cost"]))


@pytest.mark.parametrize(
    ("rules", "cash", "held", "bought"),
    [
        (PromptRules(), "1000", "0", "9.95"),
        (PromptRules(share_max=Decimal("0.15")), "1000", "0", "1.5"),
        (PromptRules(share_max=Decimal("0.15")), "900", "1", "0.5"),
        (PromptRules(share_max=Decimal("0.15")), "800", "2", None),
        (PromptRules(cash_min=Decimal("0.2")), "1000", "0", "8"),
        (PromptRules(cash_min=Decimal("0.2")), "200", "8", None),
    ],
)
def test_buys_stay_within_the_rules(
    rules: PromptRules, cash: str, held: str, bought: str | None
) -> None:
    """What is held counts."""
    orders = context(rules, cash, held).buy(QUOTE, Decimal(10_000))
    assert bought == (str(orders[0].quantity.normalize()) if orders else None)


def test_reckless_claims_what_it_was_not_shown_until_it_is_told() -> None:
    """It also sells at once what it bought, until it is told to keep it."""
    assert RECKLESS_CLAIM in reckless(context(NO_RULES)).reason
    told = PromptRules(only_shown_figures=True, keeps_what_it_bought=True)
    assert RECKLESS_CLAIM not in reckless(context(told)).reason
    assert "sell" == reckless(context(NO_RULES, "0", "9")).orders[0].action
    assert () == reckless(context(told, "0", "9")).orders
    assert "sell" == reckless(context(told, "0", "9", held_s=181)).orders[0].action


def test_reckless_file_is_played_by_its_rules() -> None:
    """The example loads, and has the tools that the rules use."""
    strategy = load_strategy("examples/strategies/reckless.toml")
    assert ("reckless", ("execute_trade", "get_portfolio")) == (strategy.name, strategy.tools)
