"""Compact and tiny prompts: what they show, what they list as left out, and their bounds."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.messages import (
    HeldPosition,
    MarketSnapshot,
    Portfolio,
    ProductView,
    PromptSize,
    Rules,
    ToolSchema,
)
from arena.tool_schema import portable_schema
from chat_nodes.prompt_reader import read_account, read_market
from routers.portfolio import KnownPortfolio
from routers.prompt import (
    RULES_BY_SIZE,
    left_out_text,
    prompt_sha256,
    render_market,
    render_system,
    render_user,
)
from routers.prompt_sizes import (
    CHARS_PER_TOKEN_NUMBERS,
    CHARS_PER_TOKEN_WORDS,
    PROMPT_FORMS,
    sized_schema,
)
from routers.snapshot_cache import RenderedSnapshot
from routers.strategy import PROMPT_BYTES_MAX, Strategy, load_strategy, shipped_names
from routers.turn_types import Limits, ResolvedAgent
from tests.routers.builders import AS_OF, WALL, snapshot, ticker, window
from trading_tools.registry import load_catalogue

SMALL: tuple[PromptSize, ...] = ("compact", "tiny")
SHAPES = {"15m": (900, 20), "5m": (300, 24), "1m": (60, 30)}
RULES = Rules(
    starting_cash_usd=Decimal(100_000),
    fee_schedule="test",
    fee_bps=Decimal("120.25"),
    slippage_bps=Decimal("12.5"),
    price_age_s_max=30,
    collar_bps=Decimal(200),
    at=WALL,
)
MEMORY = tuple(f'09:2{i} bought 0.41 BTC-USD at 67180.20: "{"up " * 50}"' for i in range(5))


def moving(product_id: str, price: str = "67203.60") -> ProductView:
    """A product whose candles differ from bar to bar."""
    windows = {}
    for name, (seconds, count) in SHAPES.items():
        shape = window(seconds, count, price)
        candles = tuple(
            c.model_copy(update={"close": c.close * i, "volume": Decimal("12.34567891")})
            for i, c in enumerate(shape.candles, 1)
        )
        windows[name] = shape.model_copy(update={"candles": candles})
    return ProductView(
        product_id=product_id,
        ticker=ticker(product_id, price),
        age_ms=400,
        stale=False,
        windows=windows,
    )


def market_of(count: int, price: str = "67203.60") -> MarketSnapshot:
    """A snapshot of this many products."""
    products = tuple(moving(f"COIN{i}-USD", price) for i in range(count))
    return snapshot().model_copy(update={"products": products})


def known_of(count: int) -> KnownPortfolio:
    """An account with this many positions."""
    held = tuple(
        HeldPosition(
            product_id=f"COIN{i}-USD",
            quantity=Decimal("0.41234567"),
            average_cost=Decimal("67180.20123456"),
            held_s=100_000,
        )
        for i in range(count)
    )
    return KnownPortfolio(Portfolio(cash_usd=Decimal("72410.55"), positions=held), AS_OF)


def user_of(seen: MarketSnapshot, size: PromptSize, known: KnownPortfolio | None = None) -> str:
    """The user message with a full memory."""
    return render_user(render_market(seen, size), seen, known, MEMORY, size)


def tools_text(strategy: Strategy, size: PromptSize) -> str:
    """The shipped tools of a strategy as in a request body."""
    offers = [tool.offered(WALL) for tool in load_catalogue().values()]
    agent = ResolvedAgent.of("a", "n", strategy, Limits(), offers, size)
    parts = [
        {
            "type": "function",
            "function": {
                "name": schema.name,
                "description": schema.description,
                "parameters": portable_schema(schema.parameters),
            },
        }
        for schema in agent.schemas
    ]
    return orjson.dumps(parts).decode()


def tokens(system: str, tools: str, user: str) -> float:
    """Estimated tokens, by the stated ratios of characters per token."""
    return (len(system) + len(tools)) / CHARS_PER_TOKEN_WORDS + len(user) / CHARS_PER_TOKEN_NUMBERS


def test_full_prompt_is_unchanged() -> None:
    """Its bytes are in every record from before there were sizes."""
    seen = market_of(2)
    system = render_system("Trade well.\n", RULES)
    user = render_user(render_market(seen), seen, known_of(2), MEMORY)

    before = "c7f8f093d2c0a3978e829cc28dab42255e7456ed654fd3215d2d67c2a2e30eee"
    assert before == prompt_sha256(system, user)


@pytest.mark.parametrize("size", SMALL)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 30, 45])
def test_any_number_of_products_stays_within_the_tokens(size: PromptSize, count: int) -> None:
    """The longest strategy, the longest account and memory, and the tools of a trader."""
    strategy = Strategy("long", "word " * (PROMPT_BYTES_MAX // 5), load_strategy("momentum").tools)
    system = render_system(strategy.prompt, RULES, size)
    user = user_of(market_of(count), size, known_of(count))

    assert tokens(system, tools_text(strategy, size), user) <= PROMPT_FORMS[size].tokens_max


@pytest.mark.parametrize("name", shipped_names())
@pytest.mark.parametrize(("size", "context"), [("compact", 4_096), ("tiny", 2_048)])
def test_one_product_leaves_room_for_rounds_and_an_answer(
    name: str, size: PromptSize, context: int
) -> None:
    """Prompt, two rounds of two calls each and an answer of 200 tokens fit the context."""
    strategy, form = load_strategy(name), PROMPT_FORMS[size]
    system = render_system(strategy.prompt, RULES, size)
    prompt = tokens(system, tools_text(strategy, size), user_of(market_of(1), size, known_of(1)))
    a_call = 60 + min(400, form.result_bytes_max) / CHARS_PER_TOKEN_WORDS

    assert "cut here" not in system
    assert prompt <= {"compact": 2_300, "tiny": 1_100}[size]
    assert prompt + 2 * 2 * a_call + 200 <= context


@settings(deadline=None, max_examples=15)
@given(
    size=st.sampled_from(SMALL),
    count=st.sampled_from([0, 1, 3, 8, 35]),
    price=st.decimals("0.00000002", "999999999", places=8),
    positions=st.integers(0, 40),
    lines=st.lists(st.text(max_size=500), max_size=5),
)
def test_small_prompt_is_bounded_and_depends_only_on_its_arguments(
    size: PromptSize, count: int, price: Decimal, positions: int, lines: list[str]
) -> None:
    """For any input, the text is the same twice, within its bound, and can be parsed."""
    form = PROMPT_FORMS[size]
    view = moving("BTC-USD", f"{price:f}")
    seen = snapshot().model_copy(update={"products": (view,) * count})
    known = known_of(positions)
    first = render_user(render_market(seen, size), seen, known, tuple(lines), size)

    assert first == render_user(render_market(seen, size), seen, known, tuple(lines), size)
    assert len(first) <= (
        form.market_chars_max + form.account_chars_max + form.memory_chars_max + 4
    )
    assert (read_market(first) is not None) == (count > 0)


@pytest.mark.parametrize("size", get_args(PromptSize))
@pytest.mark.parametrize("count", [1, 3, 30])
def test_scripted_rules_read_every_size(size: PromptSize, count: int) -> None:
    """They get quotes, the newest closes of every window that is shown, and the account."""
    seen = market_of(count)
    text = user_of(seen, size, known_of(1))
    market, account = read_market(text), read_account([text])

    assert market is not None
    assert account is not None
    assert Decimal("72410.55") == account.cash_usd
    assert 18 <= len(market.quotes) or count == len(market.quotes)
    for view in seen.products[: len(market.quotes)]:
        assert view.ticker is not None
        quote = market.quotes[view.product_id]
        assert (view.ticker.best_bid, view.ticker.best_ask) == (quote.bid, quote.ask)
        for name, shape in view.windows.items():
            closes = market.closes(view.product_id, name, 30)
            assert closes == [c.close for c in shape.candles][-len(closes) :] or not closes
            assert closes or count == 30


@pytest.mark.parametrize(
    ("size", "count", "expected_text"),
    [
        ("compact", 1, "all but the last 4 15m, 12 5m and 12 1m candles are left out"),
        ("compact", 3, "all but the last 6 15m, 12 5m and 12 1m closes are left out"),
        (
            "tiny",
            1,
            "all but the last 4 15m, 6 5m and 6 1m closes, 24 h volumes and ages are left out",
        ),
        ("tiny", 30, r"\d+ products, 15m, 5m and 1m candles, .*last prices are left out"),
    ],
)
def test_left_out_parts_are_listed(size: PromptSize, count: int, expected_text: str) -> None:
    """In one line of the prompt, and in the turn."""
    market = render_market(market_of(count), size)

    assert re.search(rf"\({size} prompt: {expected_text}\)", market.body)
    assert re.fullmatch(expected_text.removesuffix(" are left out"), market.left_out)


def test_nothing_is_listed_if_nothing_is_left_out() -> None:
    """A small market is shown completely, in compact as in full."""
    view = moving("BTC-USD").model_copy(update={"windows": {"1m": window(60, 5, "1.5")}})
    seen = snapshot().model_copy(update={"products": (view,)})
    market = render_market(seen, "compact")

    assert "left out" not in market.body
    assert "" == market.left_out
    assert "" == left_out_text("Trade.", market, None, (), "compact")


def test_turn_lists_everything_that_its_prompt_leaves_out() -> None:
    """Market, strategy, positions and decisions."""
    seen, known = market_of(1), known_of(5)
    system = render_system("word " * 1_000, RULES, "tiny")
    text = left_out_text(system, render_market(seen, "tiny"), known, MEMORY, "tiny")

    assert text.endswith(
        "; the strategy's prompt beyond 1,150 characters; 3 positions; 4 older decisions"
    )
    assert "(the strategy's prompt is cut here: tiny prompt)" in system
    assert "(3 further positions are not shown" in user_of(seen, "tiny", known)


@pytest.mark.parametrize("size", get_args(PromptSize))
def test_market_is_rendered_once_for_all_agents(size: PromptSize) -> None:
    """Agents of one process with one size of prompt share the text."""
    seen = RenderedSnapshot(market_of(2))

    assert seen.text(size) is seen.text(size)
    assert seen.text(size) == render_market(seen.snapshot, size)


@pytest.mark.parametrize("size", get_args(PromptSize))
def test_cut_strategy_is_not_cut_again(size: PromptSize) -> None:
    """The strategy's prompt in a record gives the same system message again."""
    system = render_system("line of words\n" * 500, RULES, size)
    shown = system.partition("\n\nHow this arena works")[0] + "\n"

    assert system == render_system(shown, RULES, size)


@pytest.mark.parametrize("size", get_args(PromptSize))
def test_every_size_has_costs_and_stale_products(size: PromptSize) -> None:
    """Fee and slippage are in the form that people and the scripted rules read."""
    system = render_system("Trade.", RULES, size)

    assert "taker fee of 120.25 bps" in system
    assert "12.5 bps slippage" in system
    assert "stale=yes" in system
    assert "Reasoning:" in system
    assert RULES_BY_SIZE[size].startswith("\nHow this arena works\n")
    assert "{" not in render_system("Trade.", None, size)


@pytest.mark.parametrize("size", get_args(PromptSize))
def test_arguments_for_exits_are_shown_with_a_tool_for_them(size: PromptSize) -> None:
    """A strategy without exits does not pay for their description."""
    plain = Strategy("plain", "Trade.", ("execute_trade", "get_portfolio"))
    exits = Strategy("exits", "Trade.", ("execute_trade", "set_exit"))

    assert "stop_loss_pct" not in tools_text(plain, size)
    assert '"required":["product_id","quantity","action"]' in tools_text(plain, size)
    assert tools_text(exits, size).count("stop_loss_pct") == (2 if size == "full" else 1)
    assert ('"limit_price"' in tools_text(exits, size)) == (size == "full")


def test_lagging_candles_are_named() -> None:
    """A model that sees closes without times must know that the newest are missing."""
    view = moving("BTC-USD")
    late = view.windows["1m"].model_copy(update={"stale": True})
    seen = snapshot().model_copy(
        update={"products": (view.model_copy(update={"windows": {**view.windows, "1m": late}}),)}
    )

    for size in SMALL:
        assert "(the newest candles are missing: BTC-USD 1m)" in render_market(seen, size).body


def test_stale_product_is_marked_in_every_size() -> None:
    """It is shown, and cannot be traded."""
    view = moving("BTC-USD").model_copy(update={"stale": True, "ticker": None})
    seen = snapshot().model_copy(update={"products": (view, moving("ETH-USD"))})

    for size in SMALL:
        market = read_market(user_of(seen, size))
        assert market is not None
        assert ["ETH-USD"] == [q.product_id for q in market.live()]


def test_small_prompt_has_nothing_from_after_its_snapshot() -> None:
    """The venue time of the heading is that of the snapshot."""
    seen = market_of(1).model_copy(update={"as_of": AS_OF + timedelta(minutes=3)})

    assert render_market(seen, "tiny").heading == "# Market as of 2026-11-21T09:33:00Z (COIN0-USD)"


def test_tiny_prompts_describe_tools_in_one_sentence() -> None:
    """The schema stays valid; other sizes keep the whole text."""
    schema = ToolSchema(
        name="t",
        description="Buy a thing. It costs money.",
        parameters={
            "type": "object",
            "properties": {
                "what": {"type": "string", "description": "Which one. " + "x" * 100},
                "side": {"enum": ["buy", "sell"], "description": "Buy or sell."},
            },
            "required": ["what"],
        },
    )
    tiny = sized_schema(schema, PROMPT_FORMS["tiny"])

    assert (
        schema
        == sized_schema(schema, PROMPT_FORMS["compact"])
        == sized_schema(schema, PROMPT_FORMS["full"])
    )
    assert "Buy a thing." == tiny.description
    assert tiny.parameters == {
        "type": "object",
        "properties": {
            "what": {"type": "string", "description": "Which one."},
            "side": {"enum": ["buy", "sell"]},
        },
        "required": ["what"],
    }
