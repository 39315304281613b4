"""The lines of `arena tail` for the kill switch, products and the judge."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena.messages import (
    ChatRequest,
    ContextItem,
    Halt,
    MarketSnapshot,
    Message,
    OrderDecided,
    Product,
    ProductView,
    Resume,
)
from operations.commands.message_format import describe
from tests.dashboard.model.test_verdict import WORDS, judged
from tests.dashboard.scenario import Scenario
from tests.ledger.audit.contest_log import EVENTS, ROSTER
from tests.ledger.living_log import living_arena
from tests.ledger.wallet_log import WalletArena

AT = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            Halt(by="cli/desk", at=AT, reason="prices look wrong"),
            "everybody's orders halted by cli/desk: prices look wrong",
        ),
        (Halt(agent="momentum", by="cli/desk", at=AT), "momentum's orders halted by cli/desk"),
        (Resume(by="cli/desk", at=AT), "everybody's orders resumed by cli/desk"),
    ],
)
def test_halts_and_resumes_are_sentences(message: Message, line: str) -> None:
    """Whose orders, halted or resumed, by whom, and why."""
    assert line == describe(message)


def test_items_of_context_say_what_they_are_about() -> None:
    """Product or market, kind, direction, time of publication, source, words and id."""
    item = ContextItem(
        item_id="a1",
        product_id="ETH-USD",
        kind="sentiment",
        published_at=AT,
        source="Example Poll",
        title="412 posts",
        sentiment="bullish",
        score=Decimal("0.4"),
    )
    facts = item.model_copy(
        update={"kind": "token_facts", "product_id": "", "sentiment": None, "score": None,
                "facts": {"max_supply": "none"}, "source": "", "title": ""}
    )  # fmt: skip

    assert describe(item) == (
        "ETH-USD sentiment bullish 0.4  published 2026-11-21T14:00:00+00:00  Example Poll"
        "  412 posts  (a1)"
    )
    assert describe(facts) == (
        "market token facts  published 2026-11-21T14:00:00+00:00  max_supply none  (a1)"
    )


def test_request_of_the_judge_names_the_judge() -> None:
    """An asker without a turn has no agent."""
    asked = ChatRequest(
        call_id="c",
        asker="judge",
        messages=(),
        issued_at=AT,
        deadline_at=AT,
        reply_to="judge.inbox",
    )

    assert describe(asked).startswith("judge round 0: ")


def test_amounts_of_a_wallet_name_their_currency() -> None:
    """Openings and rules have every currency, an order that of its product."""
    records = WalletArena().records
    opened, _, dollars, tethers = (describe(r.message()) for r in records[EVENTS][1:5])
    (rules,) = (describe(r.message()) for r in records[ROSTER])

    assert "momentum opened with 70,000.00 USD and 30,000.00 USDT" == opened
    assert "fee 180.07  cash 39,808.93  position 0.5" in dollars
    assert "fee 90.03 USDT  cash 14,904.46 USDT  position 0.25" in tethers
    assert "start 70,000.00 USD and 30,000.00 USDT, " in rules


@pytest.mark.parametrize(
    ("terms", "shown", "seen"),
    [
        ({}, "BTC-USD online  step", "BTC-USD no price stale"),
        (
            {"modes": ("limit_only",)},
            "BTC-USD limit only: market orders are refused  step",
            "BTC-USD no price limit only",
        ),
        (
            {"status": "delisted"},
            "BTC-USD delisted: it cannot be traded  step",
            "BTC-USD no price delisted",
        ),
    ],
)
def test_state_of_an_untradable_product_is_shown(
    terms: dict[str, object], shown: str, seen: str
) -> None:
    """In the line of the product and in those of snapshots."""
    one = Decimal(1)
    product = Product(
        venue="coinbase",
        product_id="BTC-USD",
        base_currency="BTC",
        quote_currency="USD",
        base_increment=one,
        quote_increment=one,
        min_market_funds=one,
    )
    view = ProductView(product_id="BTC-USD").model_copy(update=terms)
    snapshot = MarketSnapshot(
        snapshot_id="1",
        venue="coinbase",
        as_of=AT,
        interval_s=60.0,
        products=(view,),
        published_at=AT,
    )

    assert describe(product.model_copy(update=terms)).startswith(shown)
    assert seen in describe(snapshot)


def test_evaluation_shows_its_verdict_and_no_ranking() -> None:
    """The line has the verdict and the number of warnings; no agent is named as first."""
    line = describe(judged(Scenario().run(3)))

    assert f"after 3 snapshots (90% intervals, 1 warning): {WORDS}" == line
    assert "first" not in line


def test_steps_of_orders_say_what_became_of_them() -> None:
    """Each outcome and type of order has its words; only a refusal is called rejected."""
    records = living_arena().records[EVENTS]
    orders = [m for r in records if isinstance(m := r.message(), OrderDecided)]
    lines = [describe(order) for order in orders]

    for order, line in zip(orders, lines, strict=True):
        assert (" rejected " in line) == (order.outcome == "rejected")
        if order.outcome != "rejected":
            assert order.outcome.replace("_", " ") in line
        assert "None" not in line
    assert any("sell all BTC-USD stop loss at" in line for line in lines)
    assert any("trailing stop of 4 % accepted (armed)" in line for line in lines)
    assert any(re.search(r"time exit at \d\d-\d\d [\d:]{8} UTC accepted", line) for line in lines)
    assert any("take profit cancelled" in line or "filled (triggered) at" in line for line in lines)
