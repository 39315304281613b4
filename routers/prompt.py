"""Renders what an agent sees: a snapshot, its account and its last decisions, as text.

The user message has a fixed form, because people, models and the scripted rules all read it:

    # Market as of 2026-11-21T09:30:00Z (BTC-USD, ETH-USD)
    ## Since your last turn    absent if no order was closed since (`routers.prompt_account`)
    ## Your account            absent until the agent's first portfolio or trade
    ## From your owner         if its owner said something (`routers.prompt_owner`)
    ## Tickers                 CSV, one line per product
    ## Indicators              if the strategy shows "indicators" (`routers.prompt_indicators`)
    ## News and facts          if the strategy shows "context" (`routers.prompt_context`)
    ## Candles BTC-USD 15m ... CSV per product and window, oldest first
    ## Your last decisions     absent until the first

Prices keep all their digits. The text depends only on its arguments, so a prompt for one instant
contains nothing from a later one. The parts have bounds that add up to `PROMPT_CHARS_MAX`;
`routers.prompt_sizes` has the bounds of compact and tiny prompts, and `routers.prompt_small`
renders their market. Pure: reads and writes nothing.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from arena.currency import DEFAULT_CURRENCY
from arena.messages import (
    CandleWindow,
    MarketSnapshot,
    OrderClosing,
    ProductView,
    PromptSize,
    Rules,
)
from arena.messages.tools import ORDER_TOOLS
from arena.money import decimal_text
from arena.plural import counted
from routers.candle_rows import CandleRows
from routers.portfolio import KnownPortfolio
from routers.prompt_account import account_texts
from routers.prompt_context import NO_CONTEXT, ContextText, render_context
from routers.prompt_indicators import NO_INDICATORS, IndicatorText, render_indicators
from routers.prompt_sizes import FULL, PROMPT_FORMS, PromptForm, cut_strategy, strategy_is_cut
from routers.prompt_small import render_small_market
from routers.prompt_text import (
    CANDLE_COLUMNS,
    CONTEXT,
    INDICATORS,
    PRODUCTS_MAX,
    TICKER_COLUMNS,
    MarketText,
    cut_to,
    duration_text,
    restriction_lines,
    start_text,
    ticker_cells,
    window_names,
)

__all__ = [
    "HOUSE_RULES",
    "PRODUCTS_MAX",
    "PROMPT_CHARS_MAX",
    "MarketText",
    "duration_text",
    "left_out_text",
    "prompt_sha256",
    "render_market",
    "render_system",
    "render_user",
]

PROMPT_CHARS_MAX = 60_000
GAPS_MAX = 12
ORDERS_FILL = "only your open orders can fill"

NO_CANDLES = "(no candles: the venue has none for this window)"
LEFT_OUT_NOTE_CHARS = 60
"""(product, window) -> a line per candle."""

HOUSE_RULES = """\

How this arena works
- You are called with the whole market once per snapshot and answer with tool calls or with words.
  Between two calls {between}. Money is simulated, prices and costs are not flattered.
- Tickers: price is the last trade. A buy pays best_ask, a sell gets best_bid. A product marked
  stale=yes has no live price: it cannot be traded now, the order would be refused.
- Candles are closed bars in UTC, oldest first, volume in base units. A gap is a bar the venue did
  not give; do not fill it in.
- {costs}
- Quantities are in base units ({units}), above zero, in the product's own steps. You
  cannot sell what you do not hold, and you cannot spend cash you do not have: leave room for the
  fee. There is no short selling and no borrowing.
- "Your account" repeats what you were told last, valued at the bids above. It is absent until you
  have traded or asked for your portfolio.
- Ask for several tools in one answer where one does not need the other's result. A refused call
  says why; change it or leave it, do not send the same call again.
- When you are done, answer without a tool call, in one line: Reasoning: why you did what you did,
  or why you did nothing. You will see that line again at your next calls.
"""


COMPACT_RULES = """\

How this arena works
- You are called once per snapshot of the market and answer with tool calls or with words. Money is
  simulated.
- A buy pays best_ask, a sell gets best_bid. stale=yes: it cannot be traded now. Candles are closed
  bars in UTC, oldest first.
- {costs}
- Quantities are in base units ({units}). You cannot sell what you do not hold or
  spend more cash than you have, fee included. There is no short selling.
- "Your account" repeats what you were told last; it is absent until you trade or ask for your
  portfolio.
- A refused call says why; do not send the same call again. When you are done, answer without a
  tool call, in one line: Reasoning: why you did what you did, or why you did nothing.
"""

TINY_RULES = """\

How this arena works
- Answer with tool calls. When done, answer in one line: Reasoning: why.
- A buy pays best_ask, a sell gets best_bid. stale=yes: do not trade it.
- {costs}
- Quantities are base units ({units}). Sell only what you hold, spend only your cash.
- Do not repeat a refused call.
"""

RULES_BY_SIZE: dict[PromptSize, str] = {
    "full": HOUSE_RULES,
    "compact": COMPACT_RULES,
    "tiny": TINY_RULES,
}


def render_system(
    prompt: str, rules: Rules | None, size: PromptSize = "full", tools: Collection[str] = ()
) -> str:
    """Render the system message: a strategy's prompt and the rules that all agents get.

    Args:
        prompt: The strategy's prompt; cut to the bound of a smaller size.
        rules: Fees and limits of this arena, or None while they are unknown.
        size: The size of the prompt.
        tools: The strategy's tools: orders of an agent with `ORDER_TOOLS` fill between two calls.
    """
    costs = _costs_text(rules) if size == "full" else _short_costs_text(rules)
    between = ORDERS_FILL if frozenset(tools) & frozenset(ORDER_TOOLS) else "nothing happens"
    parts = RULES_BY_SIZE[size].format(costs=costs, units=_units_text(rules), between=between)
    return cut_strategy(prompt, PROMPT_FORMS[size]) + "\n" + parts


def _units_text(rules: Rules | None) -> str:
    """The unit of an order's quantity, and the currency if it is not the dollar."""
    if rules is not None and rules.wallets:
        held = " and ".join((rules.currency, *sorted(rules.wallets)))
        return f"0.05 BTC, not money: accounts hold {held}, and a product's own currency pays it"
    currency = DEFAULT_CURRENCY if rules is None else rules.currency
    if currency == DEFAULT_CURRENCY:
        return "0.05 BTC, not dollars"
    base = "ETH" if currency == "BTC" else "BTC"
    return f"0.05 {base}, not {currency}: accounts hold {currency}, prices are in {currency}"


def _costs_text(rules: Rules | None) -> str:
    if rules is None:
        return "Every fill costs a taker fee and slippage against you, on top of the spread."
    per_trade = rules.fee_bps + rules.slippage_bps
    return (
        f"Every fill costs a taker fee of {decimal_text(rules.fee_bps)} bps of its value and "
        f"{decimal_text(rules.slippage_bps)} bps slippage against you: buying and selling again "
        f"costs about {decimal_text(2 * per_trade)} bps plus the spread (100 bps are one percent). "
        f"An order is refused where the price moved more than {decimal_text(rules.collar_bps)} bps "
        f"from the one you saw, or is older than {rules.price_age_s_max:g} s."
    )


def _short_costs_text(rules: Rules | None) -> str:
    if rules is None:
        return "Every fill costs a taker fee and slippage."
    per_trade = rules.fee_bps + rules.slippage_bps
    return (
        f"Every fill costs a taker fee of {decimal_text(rules.fee_bps)} bps and "
        f"{decimal_text(rules.slippage_bps)} bps slippage: there and back "
        f"{decimal_text(2 * per_trade)} bps (100 bps = 1%)."
    )


def render_market(
    snapshot: MarketSnapshot,
    size: PromptSize = "full",
    shows: Collection[str] = (),
    chars_max: int | None = None,
    rows: CandleRows | None = None,
) -> MarketText:
    """Render the market of a snapshot; the oldest candles are left out if needed.

    Args:
        snapshot: The snapshot.
        size: The size of the prompt.
        shows: What else the prompt shows: `Strategy.shows`.
        chars_max: Its length; that of the size by default.
        rows: Lines of candles of this snapshot; None to render all.
    """
    rows = rows or CandleRows()
    chars_max = PROMPT_FORMS[size].market_chars_max if chars_max is None else chars_max
    shown = snapshot.products[:PRODUCTS_MAX]
    context = NO_CONTEXT
    if CONTEXT in shows:
        context = render_context(snapshot, PROMPT_FORMS[size], {v.product_id for v in shown})
    indicators = NO_INDICATORS
    if INDICATORS in shows:
        indicators = render_indicators(shown, PROMPT_FORMS[size])
    if size != "full":
        return _small_market(snapshot, size, indicators, context, chars_max)
    names = ", ".join(view.product_id for view in shown)
    heading = f"# Market as of {snapshot.as_of:%Y-%m-%dT%H:%M:%SZ} ({names})"
    lines = ["## Tickers", TICKER_COLUMNS, *(",".join(ticker_cells(v).values()) for v in shown)]
    lines += restriction_lines(shown)
    left_out = [one.left_out for one in (indicators, context) if one.left_out]
    if more := len(snapshot.products) - len(shown):
        lines.append(f"({more} further products are not shown: prompt limit)")
        left_out.append(counted(more, "product"))
    lines += [*indicators.lines, *context.lines]
    sections = [_Section.of(view, name, rows) for view in shown for name in window_names(snapshot)]
    fixed = len(heading) + sum(len(line) + 1 for line in lines)
    _leave_out_oldest(sections, chars_max - fixed)
    for section in sections:
        lines += section.lines()
    if candles := sum(section.left_out for section in sections):
        left_out.append(f"the oldest {counted(candles, 'candle')}")
    body = cut_to("\n".join(lines), chars_max - len(heading))
    return MarketText(heading, body, " and ".join(left_out), context.item_ids, len(shown))


def _small_market(
    snapshot: MarketSnapshot,
    size: PromptSize,
    indicators: IndicatorText,
    context: ContextText,
    chars_max: int,
) -> MarketText:
    """Render a compact or tiny market; tickers matter more than indicators, and these than news."""
    whole = render_small_market(snapshot, size, chars_max)
    fitting = [
        (indicators, context),
        (indicators, context.without_items()),
        (indicators.without_values(), context.without_items()),
    ]
    for values, items in fitting:
        small = render_small_market(snapshot, size, chars_max - values.chars - items.chars)
        if small.products == whole.products:
            break
    body = "\n".join([small.body, *values.lines, *items.lines])
    parts = " and ".join(filter(None, (small.left_out, values.left_out, items.left_out)))
    return MarketText(small.heading, body, parts, items.item_ids, small.products)


def render_user(
    market: MarketText,
    snapshot: MarketSnapshot,
    known: KnownPortfolio | None,
    memory: Sequence[str],
    size: PromptSize = "full",
    closings: Sequence[OrderClosing] = (),
    owner: str = "",
) -> str:
    """Render the user message.

    Args:
        market: `render_market(snapshot, size, shows)`.
        snapshot: The snapshot at whose bids the account is valued.
        known: The account as the agent knows it, or None.
        memory: One line per remembered decision, oldest first.
        size: The size of the prompt.
        closings: What happened to the agent's orders since its last turn, oldest first.
        owner: `owner_text(owner, feedback, form)`: what its owner said.
    """
    form = PROMPT_FORMS[size]
    parts = [market.heading, *account_texts(known, snapshot, form, closings)]
    if owner:
        parts.append(owner)
    parts.append(market.body)
    if memory:
        parts.append(_memory_text(memory, form))
    return "\n".join(parts) + "\n"


def left_out_text(
    system: str,
    market: MarketText,
    known: KnownPortfolio | None,
    memory: Sequence[str],
    size: PromptSize,
) -> str:
    """Describe what a prompt leaves out because of its size; "" if it shows everything."""
    form = PROMPT_FORMS[size]
    parts = [market.left_out] if market.left_out else []
    if strategy_is_cut(system, form):
        parts.append(f"the strategy's prompt beyond {form.strategy_chars_max:,} characters")
    accounts = () if known is None else (known.portfolio, *known.portfolio.wallets)
    if more := sum(max(0, len(one.positions) - form.positions_max) for one in accounts):
        parts.append(counted(more, "position"))
    if size != "full" and (older := len(memory) - form.memory_lines_max) > 0:
        parts.append(counted(older, "older decision"))
    return "; ".join(parts)


def _memory_text(memory: Sequence[str], form: PromptForm) -> str:
    shown, heading = list(memory), "## Your last decisions"
    if form is not FULL:
        shown = [_shortened(line, form.memory_line_chars_max) for line in memory]
        shown = shown[-form.memory_lines_max :]
    text = "\n".join([heading, *(f"- {line}" for line in shown)])
    return cut_to(text, form.memory_chars_max)


def _shortened(line: str, chars_max: int) -> str:
    return line if len(line) <= chars_max else line[: chars_max - 3] + "..."


def prompt_sha256(system: str, user: str) -> str:
    """Hash of both messages of a prompt."""
    return hashlib.sha256(f"{system}\x00{user}".encode()).hexdigest()


@dataclass(slots=True)
class _Section:
    """The candles of one product and window; the oldest may be left out."""

    heading: str
    rows: list[str]
    starts: list[datetime]
    notes: list[str]
    left_out: int = 0

    @classmethod
    def of(cls, view: ProductView, name: str, known: CandleRows) -> "_Section":
        window = view.windows.get(name) or CandleWindow(granularity_s=0)
        length_s, rows = window.granularity_s, known.of(view.product_id, name, window)
        notes = [] if rows else [NO_CANDLES]
        if window.gaps:
            times = ", ".join(start_text(gap, length_s) for gap in window.gaps[:GAPS_MAX])
            more = len(window.gaps) - GAPS_MAX
            notes.append(f"gaps: {times}" + (f" and {more} more" if more > 0 else ""))
        if window.stale:
            notes.append("(these candles lag: the newest are missing)")
        heading = f"## Candles {view.product_id} {name} (UTC, oldest first)"
        return cls(heading, rows, [c.start for c in window.candles], notes)

    def lines(self) -> list[str]:
        text = [self.heading, CANDLE_COLUMNS]
        if self.left_out:
            text.append(f"(the {self.left_out} oldest candles are left out: prompt limit)")
        return text + self.rows[self.left_out :] + self.notes

    def size(self) -> int:
        lines = self.lines()
        return sum(map(len, lines)) + len(lines)


def _leave_out_oldest(sections: list[_Section], chars_max: int) -> None:
    """Leave out the oldest candles of all sections until the others fit."""
    excess = sum(section.size() for section in sections) - chars_max
    if excess <= 0:
        return
    excess += LEFT_OUT_NOTE_CHARS * len(sections)
    by_age = sorted(
        (start, place, row)
        for place, section in enumerate(sections)
        for start, row in zip(section.starts, map(len, section.rows), strict=True)
    )
    for _, place, row_chars in by_age:
        if excess <= 0:
            return
        sections[place].left_out += 1
        excess -= row_chars + 1
