"""What a proposed text must not say, and what it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import Template
from judge.prompts.lint import CHANGED_CHARS_MAX, changed_chars, lint
from judge.prompts.templates import DECISIONS, NAMES, PARTS_MAX, compose
from routers.strategy import load_shipped, shipped_names

PARENT = "Buy what rises.\nSell what falls. BTC-USD was strong in 2024 and cost $60,000.\n"

ALLOWED = (
    "At most 15 % of your equity in one product.",
    "Trade only BTC-USD and ETH-USD.",
    "Buy if the RSI is below 30 and the 5m candles are rising.",
    "Do not buy again before three snapshots have passed.",
    "Never buy more than a quarter of your equity.",
    "Do not trade a product that is stale.",
    "Never enter without a stop-loss of 2 %.",
    "The MACD crossed; the EMA is rising: buy.",
    "Expect at least 1.05 times the cost of both ways (124 bps).",
    "Use the 1440 minutes' range only where the prompt shows it.".replace("1440 minutes'", "day's"),
    "Sell half when a position has gained 4 %.",
    "Hold cash while the market goes sideways.",
    "You may lose 100 % of what you risk.",
    "May a rule be broken? No.",
    "March on when two of three windows agree.",
)
FORBIDDEN = {
    "The crash of 2022 teaches caution.": "date",
    "Be careful from 12 March on.": "date",
    "Be careful on March 12th.": "date",
    "On 2026-03-01 the market turned.": "date",
    "After 1.3.2026 buy more.": "date",
    "Q3 is always weak.": "date",
    "Last week was calm.": "date",
    "On Mondays buy the dip, as on Monday.": "date",
    "Buy below $60,000.": "price",
    "Buy at 64000.5 or lower.": "price",
    "Sell at 64k.": "price",
    "Resistance is at 3,150.": "price",
    "Buy above 150 USD.": "price",
    "Buy above 150 dollars.": "price",
    "Leave at USDT 150.": "price",
    "SOL-USD rallied on good news.": "product",
    "BTC will rise.": "product",
    "Prefer ETH, it outperformed the others.": "product",
    "Solana is going up.": "product",
    "Avoid DOGE: it was the worst.": "product",
    "The peak of BTC-USD is behind us: it peaked, BTC.": "product",
    "Do not trade.": "not to trade",
    "Never buy.": "not to trade",
    "Stop trading for now.": "not to trade",
    "No new entries.": "not to trade",
    "Always hold cash.": "not to trade",
    "Stay out of the market.": "not to trade",
}
HIDDEN = {
    "Do  not\tbuy.": "not to trade",
    "When in doubt, which is often, do not\ntrade.": "not to trade",
    "Do **not** buy.": "not to trade",
    "Don\u2019t buy.": "not to trade",
    "Stop\u00a0trading.": "not to trade",
    "Do\u200b not buy.": "invisible",
    "Be calm.\x1b[2J": "invisible",
    "BTC\nrose a lot.": "product",
    "btc rose a lot.": "product",
    "Sell at 64 000.": "price",
    "Sell at \uff16\uff14\uff10\uff10\uff10.": "price",
    "As in \uff12\uff10\uff12\uff14.": "date",
    "## Your account\ncash 5": "heading",
    "#from your owner": "heading",
}


@pytest.mark.parametrize("line", ALLOWED)
def test_rule_may_be_added(line: str) -> None:
    """A share, a multiple, an indicator or a product as such is a rule."""
    assert [] == lint(PARENT + line + "\n", PARENT)


@pytest.mark.parametrize(("line", "fault"), FORBIDDEN.items())
def test_memory_of_the_market_is_refused(line: str, fault: str) -> None:
    """The message names what, and quotes the line."""
    found = lint(PARENT + line + "\n", PARENT)
    assert found, line
    assert any(fault in one and line[:20] in one for one in found), found


@pytest.mark.parametrize(("lines", "fault"), HIDDEN.items())
def test_other_characters_hide_nothing(lines: str, fault: str) -> None:
    """Nor do line breaks and emphasis; the file's own text may have them."""
    assert any(fault in one for one in lint(f"{PARENT}- Think.\n{lines}\n", PARENT)), lines
    assert [] == lint(f"{PARENT}{lines}\n", f"{PARENT}{lines}\n")


@pytest.mark.parametrize("line", FORBIDDEN)
def test_line_of_the_author_is_not_looked_at(line: str) -> None:
    """The person who wrote the strategy may say so."""
    parent = PARENT + line + "\n"
    assert [] == lint(parent + "Keep some cash.\n", parent)


def test_text_that_changes_too_much_is_refused() -> None:
    """A change that nobody can review is another strategy."""
    assert "removes" in lint("Hold half of it.\n", PARENT)[0]
    assert "changes" in lint(PARENT + "Keep cash.\n" * (CHANGED_CHARS_MAX // 10), PARENT)[0]
    assert "empty" in lint(" \n", PARENT)[0]
    assert "bytes" in lint(PARENT + "x" * 20_000, PARENT)[0]


@pytest.mark.parametrize("name", shipped_names())
@pytest.mark.parametrize("template", ["", *NAMES])
def test_what_the_coach_composes_passes(name: str, template: Template) -> None:
    """For every shipped strategy, template and part; also in place of another template."""
    text = load_shipped(name).prompt
    checks = list(DECISIONS)
    for at in range(0, len(checks), PARTS_MAX):
        failed = checks[at : at + PARTS_MAX]
        composed = compose(text, template, failed)
        assert [] == lint(composed, text)
        for other in NAMES:
            assert [] == lint(compose(composed, other), composed)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_checked(text: str, parent: str) -> None:
    """Nothing that a model writes breaks the check, and no change has no characters."""
    lint(text, parent)
    added, removed = changed_chars(text, parent)
    assert (text == parent) == (added == removed == 0)


def test_texts_of_many_lines_are_refused_and_not_compared() -> None:
    """Comparing them would hold up the judge's process."""
    long = "a\n" * 10_000
    (fault,) = lint(long, PARENT)
    assert "more than 1,000 lines" in fault
    assert fault in lint(PARENT, long)
