"""Parses the text of an agent's prompt: market, account, costs. Pure.

The scripted rules know nothing but this text. Prompts of every size are parsed: tables name their
columns, and closing prices are in candles or in a list. Anything missing or malformed is None or
left out; nothing raises.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from arena.currency import DEFAULT_CURRENCY
from arena.granularities import GRANULARITIES, MINUTE, three_windows
from arena.messages import ChatMessage
from arena.money import parse_decimal

FEE_BPS_ASSUMED = Decimal(100)
"""Cost of a trade if the prompt does not state it."""
PROMPT_CHARS_MAX = 200_000
SECTIONS_MAX = 200
SYSTEMS_MAX = 64
"""System messages whose figures are kept: an agent's stays the same from turn to turn."""
MARKETS_MAX = 8
"""Markets that are kept: every agent of a snapshot with prompts of one form has the same."""
_TICKERS = "\n## Tickers"
_MEMORY = "\n## Your last decisions"
"""The heading after the market: an agent's own decisions follow."""
CURRENCIES_MAX = 20

_HEADING = re.compile(r"\A# Market as of (\S+)")
_CANDLES = re.compile(r"\ACandles (\S+) (\S+)")
_CASH_LINE = re.compile(r"^cash(?:_usd)?: (\S+)(?: ([A-Z0-9]+)$)?", re.MULTILINE)
_EQUITY_LINE = re.compile(r"^equity(?:_usd)?: (\S+)", re.MULTILINE)
_POSITION_LINE = re.compile(r"^position: (\S+) (quantity=.*)$", re.MULTILINE)
_ACCOUNT_WORDS = ("cash", "equity", "position: ")
"""First words of the lines above: searching these lines alone is faster than the whole prompt."""
_CASH_SENTENCE = re.compile(r"^Cash (\S+) ([A-Z0-9]+), equity (\S+) ", re.MULTILINE)
_TABLE_LINE = re.compile(r"^(\S+) \| (.*)$", re.MULTILINE)
_FEE = re.compile(r"taker fee of ([\d.]+) bps")
_SLIPPAGE = re.compile(r"([\d.]+) bps slippage")
_HELD_PART = re.compile(r"(\d+)([dhms])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WINDOW = re.compile(r"\A[0-9]{1,4}[smhd]\Z")
_RESTRICTED = re.compile(
    r"^\((\S+(?:(?:, | and )\S+){0,99}) (?:is|are) .+: "
    r"(?:market orders are refused|it cannot be traded)\)$"
)
_MOOD = re.compile(r"\A- (\S+) sentiment(?: (bullish|neutral|bearish))?(?: (-?[0-9.]+))?, ")
_SCORES = {"bullish": "0.5", "bearish": "-0.5"}
_CANDLE_FIELDS = 6
_CLOSE_FIELD = 4
_CLOSES_MAX = 1_000
"""Closing prices in one line that are read."""


@dataclass(frozen=True, slots=True)
class PromptQuote:
    """One line of the tickers; prices are in quote units per base unit.

    Attributes:
        stale: True if the product cannot be traded: the price is old, or the venue accepts no
            market orders.
    """

    product_id: str
    price: Decimal
    bid: Decimal
    ask: Decimal
    stale: bool


@dataclass(frozen=True, slots=True)
class PromptPosition:
    """One position: quantity in base units, average cost per base unit including fees."""

    product_id: str
    quantity: Decimal
    average_cost: Decimal
    held_s: int = 0


@dataclass(frozen=True, slots=True)
class PromptAccount:
    """The account as the prompt shows it, in its currency.

    Attributes:
        wallets: Further currency -> account in it.
    """

    cash_usd: Decimal
    equity_usd: Decimal
    positions: dict[str, PromptPosition] = field(default_factory=dict)
    currency: str = DEFAULT_CURRENCY
    wallets: "dict[str, PromptAccount]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptMarket:
    """The market in a prompt.

    Attributes:
        as_of: Venue time, as written.
        quotes: Quotes by product, without products that have no price.
        candles: (product, window) -> lines of the section.
        close_lists: (product, window) -> closing prices that are shown without candles.
        moods: Product -> its newest sentiment, from -1 (bearish) to 1 (bullish).
        indicators: (product, window) -> indicator -> value, without those that need more bars.
    """

    as_of: str
    quotes: dict[str, PromptQuote]
    candles: dict[tuple[str, str], list[str]]
    close_lists: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    moods: dict[str, Decimal] = field(default_factory=dict)
    indicators: dict[tuple[str, str], dict[str, Decimal]] = field(default_factory=dict)
    _closes: dict[tuple[str, str, int], list[Decimal]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def windows(self) -> tuple[str, str, str]:
        """A short, a middle and a long window: 1m, 5m, 15m, or those of a market of longer bars."""
        return three_windows(self._shortest)

    @property
    def bar_s(self) -> int:
        """Seconds of the market's bars, the shortest that are shown; a minute without candles."""
        return GRANULARITIES[self._shortest]

    @property
    def _shortest(self) -> str:
        named = {window for _, window in (*self.candles, *self.close_lists)}
        return next((name for name in GRANULARITIES if name in named), MINUTE)

    def indicator(self, product_id: str, window: str, name: str) -> Decimal | None:
        """The newest value of an indicator; None if it is not shown, or needs more bars."""
        return self.indicators.get((product_id, window), {}).get(name)

    def closes(self, product_id: str, window: str, count: int) -> list[Decimal]:
        """The last `count` closing prices of a window, oldest first, or fewer."""
        key = (product_id, window, count)
        if key not in self._closes:
            self._closes[key] = self._read_closes(product_id, window, count)
        return self._closes[key]

    def _read_closes(self, product_id: str, window: str, count: int) -> list[Decimal]:
        if close_lists := self.close_lists.get((product_id, window)):
            return close_lists[-count:]
        found: list[Decimal] = []
        for line in reversed(self.candles.get((product_id, window), [])):
            cells = line.split(",")
            if len(cells) == _CANDLE_FIELDS and (close := _price(cells[_CLOSE_FIELD])):
                found.append(close)
                if len(found) == count:
                    break
        return found[::-1]

    def live(self) -> list[PromptQuote]:
        """The quotes that can be traded now, in the order of the prompt."""
        return [q for q in self.quotes.values() if not q.stale]


def read_market(text: str) -> PromptMarket | None:
    """The market in a user message; None if it has no market heading or no price."""
    text = text[:PROMPT_CHARS_MAX]
    heading, begin, end = _HEADING.match(text), text.find(_TICKERS), text.rfind(_MEMORY)
    if heading is None or begin < 0:
        return None
    return _market_in(heading[1], text[begin : end if end > begin else None])


@lru_cache(maxsize=MARKETS_MAX)
def _market_in(as_of: str, text: str) -> PromptMarket | None:
    """The market in the sections from the tickers to the last decisions; many agents share it."""
    quotes: dict[str, PromptQuote] = {}
    candles: dict[tuple[str, str], list[str]] = {}
    close_lists: dict[tuple[str, str], list[Decimal]] = {}
    moods: dict[str, Decimal] = {}
    indicators: dict[tuple[str, str], dict[str, Decimal]] = {}
    for section in text.split("\n## ", SECTIONS_MAX)[1:]:
        lines = section.split("\n")
        if lines[0].startswith("Tickers"):
            columns = lines[1].split(",") if len(lines) > 1 else []
            found = (_quote(line, columns) for line in lines[2:])
            closed = {name for line in lines[2:] for name in _restricted(line)}
            quotes = {
                q.product_id: replace(q, stale=True) if q.product_id in closed else q
                for q in found
                if q is not None
            }
        elif lines[0].startswith("News and facts"):
            moods = dict(filter(None, map(_mood, reversed(lines[1:]))))
        elif lines[0].startswith("Indicators"):
            names = lines[1].split(",")[2:] if len(lines) > 1 else []
            indicators = dict(filter(None, (_indicators(line, names) for line in lines[2:])))
        elif lines[0].startswith("Closes"):
            close_lists = dict(filter(None, map(_closes, lines[2:])))
        elif named := _CANDLES.match(lines[0]):
            candles[(named[1], named[2])] = lines[2:]
    if not quotes:
        return None
    return PromptMarket(as_of, quotes, candles, close_lists, moods, indicators)


def read_account(texts: Iterable[str]) -> PromptAccount | None:
    """The account in the newest text that has one: a prompt, or a result of `get_portfolio`.

    Args:
        texts: Oldest first.
    """
    for text in reversed([t[:PROMPT_CHARS_MAX] for t in texts]):
        lines = [line for line in text.split("\n") if line.startswith(_ACCOUNT_WORDS)]
        account = _accounts("\n".join(lines), _CASH_LINE, _account_lines)
        account = account or _accounts(text, _CASH_SENTENCE, _account_table)
        if account is not None:
            return account
    return None


def _accounts(
    text: str, start: re.Pattern[str], read: Callable[[str], PromptAccount | None]
) -> PromptAccount | None:
    """The account in a text, with one part per currency; each part begins with its cash."""
    begins = [found.start() for found in start.finditer(text)][:CURRENCIES_MAX]
    if len(begins) < 2:
        return read(text)
    parts = [text[a:b] for a, b in pairwise([*begins, len(text)])]
    found = [account for account in map(read, parts) if account is not None]
    if not found:
        return None
    return replace(found[0], wallets={one.currency: one for one in found[1:]})


def read_cost_bps(messages: Iterable[ChatMessage]) -> Decimal:
    """The cost of a trade, fee and slippage, by the system message, in basis points."""
    for message in messages:
        if message.role == "system" and (cost := _cost_bps(message.content)) is not None:
            return cost
    return FEE_BPS_ASSUMED


@lru_cache(maxsize=SYSTEMS_MAX)
def _cost_bps(system: str) -> Decimal | None:
    fee, slippage = _FEE.search(system), _SLIPPAGE.search(system)
    if fee is None:
        return None
    cost = parse_number(fee[1]) or Decimal(0)
    return cost + (parse_number(slippage[1]) or Decimal(0) if slippage else Decimal(0))


def parse_number(text: str) -> Decimal | None:
    """Parse a decimal such as "+18.30" or "$72,410.55"; None if it is not one."""
    return _price(text.strip().lstrip("+$").replace(",", ""))


def _price(text: str) -> Decimal | None:
    try:
        return parse_decimal(text)
    except ValueError:
        return None


def _quote(line: str, columns: list[str]) -> PromptQuote | None:
    """Parse a line of the tickers; if the table has no last price, the bid is used."""
    cells = line.split(",")
    if len(cells) != len(columns):
        return None
    row = dict(zip(columns, cells, strict=True))
    bid, ask = parse_number(row.get("best_bid", "")), parse_number(row.get("best_ask", ""))
    price = parse_number(row["price"]) if "price" in row else bid
    if not (price and bid and ask and row.get("product_id")):
        return None
    return PromptQuote(
        row["product_id"], price, bid, ask, stale=row.get("stale", "").strip() != "no"
    )


def _restricted(line: str) -> list[str]:
    """The products that cannot be traded, by a line below the tickers."""
    found = _RESTRICTED.match(line)
    return re.split(r", | and ", found[1]) if found else []


def _closes(line: str) -> tuple[tuple[str, str], list[Decimal]] | None:
    """Parse a line of closing prices: product, window, and prices, oldest first."""
    cells = line.split(",")[: _CLOSES_MAX + 2]
    if len(cells) < 3 or not _WINDOW.match(cells[1]):
        return None
    return (cells[0], cells[1]), [price for price in map(_price, cells[2:]) if price]


def _mood(line: str) -> tuple[str, Decimal] | None:
    """Parse a line of sentiment: the product, and the score, or that of the word without one."""
    found = _MOOD.match(line)
    if found is None or (score := parse_number(found[3] or _SCORES.get(found[2], "0"))) is None:
        return None
    return found[1], min(max(score, Decimal(-1)), Decimal(1))


def _indicators(line: str, names: list[str]) -> tuple[tuple[str, str], dict[str, Decimal]] | None:
    """Parse a line of the indicators: product, window, and a value per name."""
    cells = line.split(",")
    if len(cells) != len(names) + 2 or not _WINDOW.match(cells[1]):
        return None
    values = zip(names, map(_price, cells[2:]), strict=True)
    return (cells[0], cells[1]), {name: value for name, value in values if value is not None}


def _account_lines(text: str) -> PromptAccount | None:
    cash, equity = _CASH_LINE.search(text), _EQUITY_LINE.search(text)
    positions = []
    for product_id, rest in _POSITION_LINE.findall(text):
        fields = dict(w.split("=", 1) for w in rest.split() if "=" in w)
        cells = (fields.get("quantity", ""), fields.get("average_cost", ""), fields.get("held", ""))
        positions.append(_position(product_id, *cells))
    unit = cash and cash[2]
    return _account(cash and cash[1], equity and equity[1], positions, unit)


def _account_table(text: str) -> PromptAccount | None:
    sentence = _CASH_SENTENCE.search(text)
    if sentence is None:
        return None
    positions = []
    for product_id, rest in _TABLE_LINE.findall(text):
        cells = [c.strip() for c in rest.split("|")]
        if len(cells) == 5:
            positions.append(_position(product_id, cells[0], cells[1], cells[4]))
    return _account(sentence[1], sentence[3], positions, sentence[2])


def _account(
    cash_text: str | None,
    equity_text: str | None,
    positions: Iterable[PromptPosition | None],
    currency: str | None,
) -> PromptAccount | None:
    cash = parse_number(cash_text or "")
    if cash is None:
        return None
    equity = parse_number(equity_text or "")
    by_product = {p.product_id: p for p in positions if p is not None}
    total = cash if equity is None else equity
    return PromptAccount(cash, total, by_product, currency or DEFAULT_CURRENCY)


def _position(
    product_id: str, quantity: str, average_cost: str, held: str
) -> PromptPosition | None:
    amount, cost = parse_number(quantity), parse_number(average_cost)
    if not amount or cost is None:
        return None
    held_s = sum(int(n) * _SECONDS[unit] for n, unit in _HELD_PART.findall(held[:20]))
    return PromptPosition(product_id, amount, cost, held_s)
