"""What an agent sees: a snapshot, its account and its last decisions, as text.

The user message has a fixed form, because people, models and the scripted rules read it alike:

    # Market as of 2026-11-21T09:30:00Z (BTC-USD, ETH-USD)
    ## Your account            absent until the agent's first portfolio or trade
    ## Tickers                 CSV, one line per product
    ## Candles BTC-USD 15m ... CSV per product and window, oldest first
    ## Your last decisions     absent until the first

Prices keep every digit they carry. The text depends on its arguments alone, so what is rendered
for one instant can hold nothing of a later one. The parts have bounds that add up to
`PROMPT_CHARS_MAX`. Pure: reads and writes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena.messages import CandleWindow, MarketSnapshot, ProductView, Rules
from arena.money import decimal_text
from routers.portfolio import POSITIONS_MAX, KnownPortfolio, MarkedPosition, mark

PROMPT_CHARS_MAX = 60_000
MARKET_CHARS_MAX = 48_000
ACCOUNT_CHARS_MAX = 8_000
MEMORY_CHARS_MAX = 4_000
PRODUCTS_MAX = 30
GAPS_MAX = 12
WINDOWS = ("15m", "5m", "1m")
CENT = Decimal("0.01")

TICKER_COLUMNS = "product_id,price,best_bid,best_ask,volume_24h,age_s,stale"
CANDLE_COLUMNS = "start,open,high,low,close,volume"
NO_CANDLES = "(no candles: the venue has none for this window)"
CUT_NOTE = "\n(cut here: prompt limit)"
LEFT_OUT_NOTE_CHARS = 60

HOUSE_RULES = """\

How this arena works
- You are called with the whole market once per snapshot and answer with tool calls or with words.
  Between two calls nothing happens. Money is simulated, prices and costs are not flattered.
- Tickers: price is the last trade. A buy pays best_ask, a sell gets best_bid. A product marked
  stale=yes has no live price: it cannot be traded now, the order would be refused.
- Candles are closed bars in UTC, oldest first, volume in base units. A gap is a bar the venue did
  not give; do not fill it in.
- {costs}
- Quantities are in base units (0.05 BTC, not dollars), above zero, in the product's own steps. You
  cannot sell what you do not hold, and you cannot spend cash you do not have: leave room for the
  fee. There is no short selling and no borrowing.
- "Your account" repeats what you were told last, valued at the bids above. It is absent until you
  have traded or asked for your portfolio.
- Ask for several tools in one answer where one does not need the other's result. A refused call
  says why; change it or leave it, do not send the same call again.
- When you are done, answer without a tool call, in one line: Reasoning: why you did what you did,
  or why you did nothing. You will see that line again at your next calls.
"""


@dataclass(frozen=True, slots=True)
class MarketText:
    """The part of the user message that is the same for every agent.

    Attributes:
        heading: The first line. body: tickers and candles.
    """

    heading: str
    body: str


def render_system(prompt: str, rules: Rules | None) -> str:
    """The system message: a strategy's prompt and the rules every agent is told.

    Args:
        prompt: The strategy's own words.
        rules: Fees and limits of this arena, or None while they are unknown.
    """
    return prompt.rstrip() + "\n" + HOUSE_RULES.format(costs=_costs_text(rules))


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


def render_market(snapshot: MarketSnapshot) -> MarketText:
    """Tickers and candles of a snapshot; the oldest candles are left out where it is too long."""
    shown = snapshot.products[:PRODUCTS_MAX]
    names = ", ".join(view.product_id for view in shown)
    heading = f"# Market as of {snapshot.as_of:%Y-%m-%dT%H:%M:%SZ} ({names})"
    lines = ["## Tickers", TICKER_COLUMNS, *(_ticker_line(view) for view in shown)]
    if more := len(snapshot.products) - len(shown):
        lines.append(f"({more} further products are not shown: prompt limit)")
    sections = [_Section.of(view, name) for view in shown for name in WINDOWS]
    fixed = len(heading) + sum(len(line) + 1 for line in lines)
    _leave_out_oldest(sections, MARKET_CHARS_MAX - fixed)
    for section in sections:
        lines += section.lines()
    body = _bounded("\n".join(lines), MARKET_CHARS_MAX - len(heading))
    return MarketText(heading, body)


def render_user(
    market: MarketText,
    snapshot: MarketSnapshot,
    known: KnownPortfolio | None,
    memory: Sequence[str],
) -> str:
    """The user message.

    Args:
        market: `render_market(snapshot)`.
        snapshot: What the account is valued at.
        known: The account as the agent was told last, or None.
        memory: One line per last decision, oldest first.
    """
    parts = [market.heading]
    if known is not None:
        parts.append(_account_text(known, snapshot))
    parts.append(market.body)
    if memory:
        text = "\n".join(["## Your last decisions", *(f"- {line}" for line in memory)])
        parts.append(_bounded(text, MEMORY_CHARS_MAX))
    return "\n".join(parts) + "\n"


def prompt_sha256(system: str, user: str) -> str:
    """Hash of both messages as they are sent."""
    return hashlib.sha256(f"{system}\x00{user}".encode()).hexdigest()


def held_text(seconds: float) -> str:
    """A holding time for people: "42s", "4m12s", "2h05m", "3d04h"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def _account_text(known: KnownPortfolio, snapshot: MarketSnapshot) -> str:
    account = mark(known, snapshot)
    lines = [
        "## Your account",
        f"cash_usd: {decimal_text(account.cash_usd)}",
        f"equity_usd: {account.equity_usd.quantize(CENT):f}",
    ]
    if account.scraped_usd:
        aside = decimal_text(account.scraped_usd)
        lines.append(f"set_aside_usd: {aside} (part of your equity, not to be traded with)")
    lines += [_position_line(position) for position in account.positions[:POSITIONS_MAX]]
    if not account.positions:
        lines.append("position: none")
    if (more := len(account.positions) - POSITIONS_MAX) > 0:
        lines.append(f"({more} further positions are not shown: ask for your portfolio)")
    return _bounded("\n".join(lines), ACCOUNT_CHARS_MAX)


def _position_line(position: MarkedPosition) -> str:
    words = [
        f"position: {position.product_id}",
        f"quantity={decimal_text(position.quantity)}",
        f"average_cost={decimal_text(position.average_cost)}",
    ]
    if position.bid is not None and position.unrealised_usd is not None:
        words.append(f"bid={decimal_text(position.bid)}")
        words.append(f"unrealised_usd={position.unrealised_usd.quantize(CENT):+f}")
    if position.held_s is not None:
        words.append(f"held={held_text(position.held_s)}")
    return " ".join(words)


def _ticker_line(view: ProductView) -> str:
    stale = "yes" if view.stale or view.ticker is None else "no"
    age_s = "" if view.age_ms is None else f"{view.age_ms / 1000:.1f}"
    ticker = view.ticker
    if ticker is None:
        return f"{view.product_id},,,,,{age_s},{stale}"
    volume = "" if ticker.volume_24h is None else decimal_text(ticker.volume_24h)
    prices = ",".join(map(decimal_text, (ticker.price, ticker.best_bid, ticker.best_ask)))
    return f"{view.product_id},{prices},{volume},{age_s},{stale}"


def _clock(instant: datetime) -> str:
    """Hours and minutes; an eighth of what strftime takes, and a prompt has hundreds."""
    return f"{instant.hour:02d}:{instant.minute:02d}"


def _plain(number: Decimal) -> str:
    """`decimal_text`, without its cost for a number that needs no care."""
    text = str(number)
    return decimal_text(number) if "E" in text else text


def _bounded(text: str, chars_max: int) -> str:
    """A last resort: values of absurd length cannot push a prompt over its bound."""
    return text if len(text) <= chars_max else text[: chars_max - len(CUT_NOTE)] + CUT_NOTE


@dataclass(slots=True)
class _Section:
    """The candles of one product and window, of which the oldest may be left out."""

    heading: str
    rows: list[str]
    starts: list[datetime]
    notes: list[str]
    left_out: int = 0

    @classmethod
    def of(cls, view: ProductView, name: str) -> "_Section":
        window = view.windows.get(name) or CandleWindow(granularity_s=0)
        rows = [
            f"{_clock(c.start)},{_plain(c.open)},{_plain(c.high)},{_plain(c.low)},"
            f"{_plain(c.close)},{_plain(c.volume)}"
            for c in window.candles
        ]
        notes = [] if rows else [NO_CANDLES]
        if window.gaps:
            times = ", ".join(map(_clock, window.gaps[:GAPS_MAX]))
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
        return sum(len(line) + 1 for line in self.lines())


def _leave_out_oldest(sections: list[_Section], chars_max: int) -> None:
    """Leave out the oldest candles of all sections until the rest fits."""
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
