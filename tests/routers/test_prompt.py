"""What a prompt contains, its bounds, and that nothing later leaks into it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.messages import (
    CandleWindow,
    HeldPosition,
    MarketSnapshot,
    Portfolio,
    PromptSize,
    Rules,
)
from chat_nodes.prompt_reader import read_market
from routers.portfolio import KnownPortfolio
from routers.prompt import (
    PRODUCTS_MAX,
    PROMPT_CHARS_MAX,
    duration_text,
    prompt_sha256,
    render_market,
    render_system,
    render_user,
)
from tests.routers.builders import AS_OF, PRICES, WALL, snapshot, view, window

KNOWN = KnownPortfolio(
    Portfolio(
        cash_usd=Decimal("72410.55"),
        positions=(
            HeldPosition(
                product_id="BTC-USD",
                quantity=Decimal("0.41"),
                average_cost=Decimal("67180.20"),
                bid=Decimal("60000"),
                held_s=252,
            ),
        ),
    ),
    AS_OF,
)


def rendered(
    seen: MarketSnapshot, known: KnownPortfolio | None = None, memory: tuple[str, ...] = ()
) -> str:
    """The user message."""
    return render_user(render_market(seen), seen, known, memory)


def sections(text: str) -> dict[str, list[str]]:
    """Heading -> lines of each section."""
    found: dict[str, list[str]] = {}
    for part in text.split("\n## ")[1:]:
        heading, *lines = part.rstrip("\n").split("\n")
        found[heading] = lines
    return found


def test_prompt_has_every_product_window_and_candle() -> None:
    """No product, window or candle of the snapshot is missing from the text."""
    seen = snapshot()
    shown = sections(rendered(seen))
    tickers = shown["Tickers"]

    assert "product_id,price,best_bid,best_ask,volume_24h,age_s,stale" == tickers[0]
    assert "BTC-USD,67203.60,67203.59,67203.60,1836.9,0.4,no" == tickers[1]
    for product in seen.products:
        assert 1 == sum(line.startswith(product.product_id) for line in tickers)
        for name, found in product.windows.items():
            lines = shown[f"Candles {product.product_id} {name} (UTC, oldest first)"]
            assert "start,open,high,low,close,volume" == lines[0]
            assert [f"{c.start:%H:%M}" for c in found.candles] == [r[:5] for r in lines[1:]]
            assert len(found.candles) == len(lines) - 1 > 0


def test_heading_names_time_and_products() -> None:
    """Venue time in UTC and every product."""
    first = rendered(snapshot()).split("\n")[0]

    assert "# Market as of 2026-11-21T09:30:00Z (BTC-USD, ETH-USD, FARTCOIN-USD)" == first


def test_prices_keep_all_digits() -> None:
    """A product that trades at fractions of a cent is not rounded to cents."""
    text = rendered(snapshot())

    assert "FARTCOIN-USD,0.21312,0.21311,0.21312," in text
    assert "0.21312,0.21312,0.21312,0.21312," in text


def test_account_is_valued_at_the_snapshot() -> None:
    """Cash, equity and each position at the bid of the tickers, aged by venue time."""
    seen = snapshot(1)
    lines = sections(rendered(seen, KNOWN))["Your account"]

    assert [
        "cash_usd: 72410.55",
        "equity_usd: 99964.02",
        "position: BTC-USD quantity=0.41 average_cost=67180.20 bid=67203.59 "
        "unrealised_usd=+9.59 held=5m12s",
    ] == lines


def test_account_without_positions_says_so() -> None:
    """There is a line for an account without positions."""
    known = KnownPortfolio(Portfolio(cash_usd=Decimal(100_000)), AS_OF)

    assert "position: none" == sections(rendered(snapshot(), known))["Your account"][-1]


def test_unknown_account_is_absent() -> None:
    """Nothing is invented before the agent has its first portfolio."""
    assert "Your account" not in rendered(snapshot())


def test_position_without_a_bid_has_no_value() -> None:
    """A product that is not in the snapshot counts at its cost and has no profit."""
    lost = HeldPosition(product_id="X-USD", quantity=Decimal(2), average_cost=Decimal(5))
    known = KnownPortfolio(Portfolio(cash_usd=Decimal(1), positions=(lost,)), AS_OF)
    lines = sections(rendered(snapshot(), known))["Your account"]

    assert ["cash_usd: 1", "equity_usd: 11.00"] == lines[:2]
    assert "position: X-USD quantity=2 average_cost=5" == lines[2]


def test_stale_product_is_marked_and_explained() -> None:
    """The ticker says stale, the system message says it cannot be traded."""
    seen = snapshot().model_copy(update={"products": (view("BTC-USD", "1.5", stale=True),)})

    assert sections(rendered(seen))["Tickers"][1].endswith(",yes")
    assert "stale=yes" in render_system("Trade.", None)


@pytest.mark.parametrize("size", ["full", "compact", "tiny"])
def test_trading_mode_is_shown_in_every_size(size: PromptSize) -> None:
    """Below the tickers, with one line per mode; the scripted rules read it."""
    modes = {"modes": ("limit_only",)}
    views = (
        view("BTC-USD", "67203.60"),
        view("ETH-USD", "3240").model_copy(update=modes),
        view("OLD-USD", "1", stale=True).model_copy(update={"status": "delisted"}),
        view("SOL-USD", "141.2").model_copy(update=modes),
    )
    seen = snapshot().model_copy(update={"products": views})
    text = render_user(render_market(seen, size), seen, None, (), size)
    market = read_market(text)

    assert "\n(ETH-USD and SOL-USD are limit only: market orders are refused)\n" in text
    assert "\n(OLD-USD is delisted: it cannot be traded)\n" in text
    assert market is not None
    assert ["BTC-USD"] == [quote.product_id for quote in market.live()]


def test_product_without_a_ticker_is_stale_and_empty() -> None:
    """It is listed, with nothing made up."""
    silent = view("BTC-USD", "1").model_copy(update={"ticker": None, "age_ms": None})
    seen = snapshot().model_copy(update={"products": (silent,)})

    assert "BTC-USD,,,,,,yes" == sections(rendered(seen))["Tickers"][1]


def test_gaps_lag_and_missing_candles_are_shown() -> None:
    """The prompt names gaps, lagging candles, and windows without candles."""
    gappy = window(60, 3, "1.5").model_copy(
        update={"gaps": (AS_OF - timedelta(minutes=9), AS_OF), "stale": True}
    )
    product = view("BTC-USD", "1.5").model_copy(
        update={"windows": {"1m": gappy, "5m": CandleWindow(granularity_s=300)}}
    )
    shown = sections(rendered(snapshot().model_copy(update={"products": (product,)})))

    one = shown["Candles BTC-USD 1m (UTC, oldest first)"]
    assert ["gaps: 09:21, 09:30", "(these candles lag: the newest are missing)"] == one[-2:]
    for name in ("5m", "15m"):
        assert shown[f"Candles BTC-USD {name} (UTC, oldest first)"][1].startswith("(no candles")


def test_memory_is_shown_oldest_first() -> None:
    """One line per decision."""
    text = rendered(snapshot(), None, ("09:28 no trade", '09:29 bought 1 X: "up"'))

    assert text.endswith('## Your last decisions\n- 09:28 no trade\n- 09:29 bought 1 X: "up"\n')


def test_rules_name_the_costs_of_this_arena() -> None:
    """Fee, slippage and the cost of a round trip are given in figures."""
    rules = Rules(
        starting_cash_usd=Decimal(100_000),
        fee_schedule="test",
        fee_bps=Decimal("60"),
        slippage_bps=Decimal("2.5"),
        price_age_s_max=30,
        collar_bps=Decimal(50),
        at=WALL,
    )
    text = render_system("Trade.", rules)

    assert text.startswith("Trade.\n")
    assert "taker fee of 60 bps" in text
    assert "2.5 bps slippage" in text
    assert "costs about 125.0 bps plus the spread" in text
    assert "more than 50 bps" in text
    assert "{" not in text


def test_rules_say_what_happens_between_two_calls() -> None:
    """Orders of an agent with exits fill while its model is not asked."""
    tools = ("execute_trade", "get_portfolio")

    assert "Between two calls nothing happens." in render_system("Trade.", None, "full", tools)
    text = render_system("Trade.", None, "full", (*tools, "set_exit"))
    assert "nothing happens" not in text
    assert "Between two calls only your open orders can fill." in text


def test_oldest_candles_are_left_out_with_a_note() -> None:
    """The prompt stays within its bound, every section notes its loss, the newest bar stays."""
    products = tuple(
        view(f"P{i}-USD", "67203.60").model_copy(
            update={"windows": {"1m": window(60, 300, "67203.60"), "15m": window(900, 40, "1.5")}}
        )
        for i in range(10)
    )
    seen = snapshot().model_copy(update={"products": products})
    text = rendered(seen, KNOWN, ("x" * 300,) * 5)
    shown = sections(text)

    assert len(text) <= PROMPT_CHARS_MAX
    for i in range(10):
        for name, newest in (("1m", "09:29,"), ("15m", "09:15,")):
            lines = shown[f"Candles P{i}-USD {name} (UTC, oldest first)"]
            assert "oldest candles are left out: prompt limit" in lines[1]
            assert lines[-1].startswith(newest)
        assert len(shown[f"Candles P{i}-USD 1m (UTC, oldest first)"]) > 50


def test_products_beyond_the_limit_are_counted() -> None:
    """The prompt says how many products it leaves out."""
    prices = {f"P{i}-USD": "1.5" for i in range(PRODUCTS_MAX + 4)}
    text = rendered(snapshot(prices=prices))

    assert "(4 further products are not shown: prompt limit)" in text
    assert len(text) <= PROMPT_CHARS_MAX


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(0, 40),
    candles=st.integers(0, 400),
    price=st.decimals("0.00000001", "999999999", places=8),
    lines=st.lists(st.text(max_size=2_000), max_size=5),
)
def test_prompt_is_bounded_and_depends_only_on_its_arguments(
    count: int, candles: int, price: Decimal, lines: list[str]
) -> None:
    """For any input, the text is the same twice and never over its bound."""
    shape = window(60, candles, f"{price:f}")
    product = view("BTC-USD", f"{price:f}").model_copy(
        update={"windows": dict.fromkeys(("15m", "5m", "1m"), shape)}
    )
    seen = snapshot().model_copy(update={"products": (product,) * count})
    first = rendered(seen, KNOWN, tuple(lines))

    assert first == rendered(seen.model_copy(deep=True), KNOWN, tuple(lines))
    assert len(first) <= PROMPT_CHARS_MAX


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 30))
def test_prompt_has_nothing_from_after_its_snapshot(minutes: int) -> None:
    """Two histories that agree up to an instant give the same prompt for that instant."""
    until = AS_OF + timedelta(minutes=minutes)
    calm = [snapshot(i) for i in range(60)]
    wild = [snapshot(i, None if i <= minutes else dict.fromkeys(PRICES, "1.5")) for i in range(60)]
    texts = [[rendered(s) for s in history if s.as_of <= until] for history in (calm, wild)]

    assert texts[0] == texts[1]


def test_holding_times_are_readable() -> None:
    """In seconds, minutes, hours or days."""
    assert ["0s", "42s", "4m12s", "2h05m", "3d04h"] == [
        duration_text(s) for s in (0.9, 42, 252, 7_500, 273_600)
    ]


def test_hash_covers_both_messages() -> None:
    """Moving text from one message to the other changes it."""
    assert prompt_sha256("ab", "c") != prompt_sha256("a", "bc")
    assert prompt_sha256("a", "b") == prompt_sha256("a", "b")
