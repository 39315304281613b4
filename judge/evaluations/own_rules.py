"""Rules that a strategy's text states as such, and whether a turn kept them. Pure.

Only rules in a form that leaves no doubt are read; any other sentence is ignored. A rule is checked
in turns that buy: a position may outgrow its limit by itself.

    at most 15 % of your equity in one product     the position after the buy
    at most 5 % of your equity per trade           the buy
    hold at most two products                      the number of positions after the buy
    keep at least 20 % in cash                     the cash after the buy
    only trade BTC-USD and ETH-USD                 every order
    give every entry a stop_loss_pct of 2          a stop on every buy
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from arena.messages import Portfolio
from arena.messages.tools import EXIT_TOOL
from judge.evaluations.turn_view import CallView, TurnView

SLACK_PCT = 0.5
"""Percentage points by which a share may exceed its limit: prices move between prompt and fill."""
STRATEGIES_CACHED = 256
WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip
_MOST = r"(?:at most|no more than|not more than|never more than|a maximum of|maximum of|up to)"
_PCT = r"(\d+(?:\.\d+)?)\s?(?:%|percent|per cent)"
_OF = r"(?:\s+of\s+(?:your\s+|the\s+|its\s+)?(?:equity|account|portfolio|capital))?"
_ONE = r"(?:per|in (?:any )?(?:one|a single|each)|for (?:one|a single|each))\s+(?:single\s+)?"
_POSITION = re.compile(
    rf"\b{_MOST}\s+{_PCT}{_OF}\s+{_ONE}(position|product|coin|asset|symbol)\b", re.IGNORECASE
)
_LARGEST = re.compile(
    rf"\b(?:largest|maximum|max\.?) position(?: size)?\s*(?:of|is|:)?\s*{_MOST}?\s*{_PCT}",
    re.IGNORECASE,
)
_TRADE = re.compile(rf"\b{_MOST}\s+{_PCT}{_OF}\s+{_ONE}(trade|entry|order|buy)\b", re.IGNORECASE)
_COUNT = re.compile(
    rf"\b{_MOST}\s+(\d{{1,6}}|{'|'.join(WORDS)})\s+(?:open\s+|different\s+)?"
    r"(?:positions|products|coins|assets|position|product)\b(?!\s+(?:an?|per|each)\b)",
    re.IGNORECASE,
)
_CASH = re.compile(
    rf"\b(?:keep|hold)\s+(?:always\s+)?at least\s+{_PCT}{_OF}\s+(?:in|as)\s+cash\b", re.IGNORECASE
)
_ONLY = re.compile(
    r"\b(?i:only (?:trade|buy|trades|buys)|(?:trade|buy|trades|buys) only)\s+"
    r"([A-Za-z]+:?[A-Z0-9]*-[A-Z0-9]+"
    r"(?:(?:,\s*|\s+and\s+|\s+or\s+|,\s*and\s+)[A-Z0-9:]+-[A-Z0-9]+)*)"
)
_STOP = re.compile(
    r"\b(?:every|each)\s+(?:new\s+)?(?:entry|buy|position|trade)\b[^.\n]{0,80}?\bstop|"
    r"\bstop[-_ ]loss\w*\s+(?:on|for|with)\s+(?:every|each)\s+(?:entry|buy|position|trade)\b",
    re.IGNORECASE,
)
_ID = re.compile(r"[A-Za-z]*:?[A-Z0-9]+-[A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The rules of a strategy's text; None for those that it does not state."""

    position_pct: float | None = None
    trade_pct: float | None = None
    positions: int | None = None
    cash_pct: float | None = None
    products: frozenset[str] | None = None
    stop: bool = False

    @property
    def is_empty(self) -> bool:
        """True if the text states no rule that can be checked."""
        return self == OwnRules()


@lru_cache(maxsize=STRATEGIES_CACHED)
def rules_of(strategy: str) -> OwnRules:
    """Read the rules of a strategy's text; of two alike the stricter one counts."""
    text = " ".join(strategy.split())
    only = [set(_ID.findall(m.group(1))) for m in _ONLY.finditer(text)]
    counts = [int(WORDS.get(n.lower(), 0) or int(n)) for n in _COUNT.findall(text)]
    shares = [float(m.group(1)) for m in (*_POSITION.finditer(text), *_LARGEST.finditer(text))]
    return OwnRules(
        position_pct=min(shares, default=None),
        trade_pct=min((float(m.group(1)) for m in _TRADE.finditer(text)), default=None),
        positions=min(counts, default=None),
        cash_pct=max((float(n) for n in _CASH.findall(text)), default=None),
        products=frozenset(set.intersection(*only)) if only else None,
        stop=_STOP.search(text) is not None,
    )


def broken_rule(rules: OwnRules, view: TurnView) -> str | None:
    """Why a turn broke its strategy's rules; "" if it kept them; None if none applied."""
    if rules.is_empty or not view.orders:
        return None
    if rules.products is not None:
        for call in view.orders:
            if call.product_id and call.product_id not in rules.products:
                return f"an order for {call.product_id}, which its strategy excludes"
    bought = [call for call in view.orders if (fill := call.fill) and fill.side == "buy"]
    if not bought:
        return "" if rules.products is not None else None
    if rules.stop and (missing := _without_stop(bought, view)):
        return f"bought {missing} without a stop"
    account = None if view.portfolio is None else _shares(view.portfolio)
    if account is None:
        return "" if rules.stop or rules.products is not None else None
    return _broken_share(rules, bought, account)


def _without_stop(bought: list[CallView], view: TurnView) -> str:
    names = ("stop_loss_pct", "trailing_pct", "stop_loss_price")
    later = {
        call.product_id
        for call in view.calls
        if call.name == EXIT_TOOL and call.ok and any(call.text(name) for name in names)
    }
    for call in bought:
        if not any(call.text(name) for name in names) and call.product_id not in later:
            return call.product_id
    return ""


@dataclass(frozen=True, slots=True)
class _Shares:
    """Shares of an account's equity, in percent."""

    equity: float
    cash_pct: float
    positions_pct: Mapping[str, float]


def _shares(portfolio: Portfolio) -> _Shares | None:
    """The shares of an account in one currency; None if they are not known."""
    if portfolio.wallets:
        return None
    worth = {
        held.product_id: float(held.quantity * (held.bid or held.average_cost))
        for held in portfolio.positions
    }
    cash = float(portfolio.cash_usd + portfolio.scraped_usd)
    equity = cash + sum(worth.values())
    if equity <= 0:
        return None
    parts = {name: 100 * value / equity for name, value in worth.items() if value > 0}
    return _Shares(equity, 100 * cash / equity, parts)


def _broken_share(rules: OwnRules, bought: list[CallView], account: _Shares) -> str:
    for call in bought:
        fill = call.fill
        if fill is None:
            continue
        held = account.positions_pct.get(fill.product_id, 0.0)
        if rules.position_pct is not None and held > rules.position_pct + SLACK_PCT:
            return f"{fill.product_id} is {held:.1f} % of equity, its limit {rules.position_pct:g}"
        share = 100 * fill.notional / account.equity
        if rules.trade_pct is not None and share > rules.trade_pct + SLACK_PCT:
            return f"a buy of {share:.1f} % of equity, its limit {rules.trade_pct:g}"
    if rules.positions is not None and len(account.positions_pct) > rules.positions:
        return f"{len(account.positions_pct)} positions, its limit {rules.positions}"
    if rules.cash_pct is not None and account.cash_pct < rules.cash_pct - SLACK_PCT:
        return f"{account.cash_pct:.1f} % cash after a buy, its floor {rules.cash_pct:g}"
    return ""
