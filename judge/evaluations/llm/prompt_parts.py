"""The parts of a recorded prompt that a judge is shown: strategy, costs, account, market. Pure.

The prompt's form is that of `docs/architecture.md`, "The prompt"; what it does not have is left
out. Amounts of money become shares of the account, which say all about sizes and nothing about
success. The market is cut to the newest bars, because a judge is paid per token.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from arena.messages import Portfolio, Turn
from judge.strategy_text import split_system

STRATEGY_CHARS_MAX = 4_000
ACCOUNT_CHARS_MAX = 1_500
MARKET_CHARS_MAX = 6_000
OTHER_CHARS_MAX = 1_500
EXPONENT_MAX = 30
"""Largest power of ten of a number: a model may write "1e999999"."""
BARS_SHOWN = 8
"""Newest bars of each window that are shown."""
BAR = re.compile(r"^\d\d:\d\d,")
CUT = "\n(the rest is left out; do not count figures that may be in it)"
BARS_CUT = "(older bars are left out; do not count figures that may be from them)"

_AMOUNT = re.compile(r"^(?P<key>cash|equity|set_aside)(?:_usd)?: (?P<value>-?[\d.]+)(?: (\w+))?")
_POSITION = re.compile(r"^position: (?P<product>\S+) quantity=(?P<quantity>[\d.]+)(?P<rest>.*)$")
_UNREALISED = re.compile(r" unrealised\w*=\S+")
_BID = re.compile(r" bid=([\d.]+)")


@dataclass(frozen=True, slots=True)
class PromptParts:
    """What a prompt showed, by section; texts still have names and amounts.

    Attributes:
        strategy: The strategy's own text.
        costs: The line with fees; "" if there is none.
        sections: Heading -> lines of the user message, in order, without "## ".
        prices: Product -> the price of the tickers.
        equity: Currency -> the account's value; empty if it is unknown. "USD" if none is named.
        amounts: Every amount of the account that the prompt names.
    """

    strategy: str = ""
    costs: str = ""
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    equity: Mapping[str, Decimal] = field(default_factory=dict)
    amounts: tuple[Decimal, ...] = ()

    def share(self, product_id: str, quantity: Decimal) -> str:
        """How much of the account a quantity of a product is, such as "5.0 %"; "" if unknown."""
        price = self.prices.get(product_id)
        equity = self.equity_for(product_id)
        if price is None or equity is None or equity <= 0:
            return ""
        return percent_text(quantity * price * 100 / equity)

    def equity_for(self, product_id: str) -> Decimal | None:
        """The account's value in the currency of a product."""
        if len(self.equity) == 1:
            return next(iter(self.equity.values()))
        quote = product_id.rpartition("-")[2]
        return self.equity.get(quote)


def percent_text(percent: Decimal) -> str:
    """A share in percent with two or three digits, such as "5.0 %" and "140 %"."""
    return f"{percent:.1f} %" if abs(percent) < 10 else f"{percent:.0f} %"


def decimal_of(text: str) -> Decimal | None:
    """The number of a text; None if it is not one, or too large or small to compute with."""
    try:
        number = Decimal(text)
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= EXPONENT_MAX else None


def prompt_parts(turn: Turn) -> PromptParts:
    """Read the prompt of a recorded turn."""
    system = next((m.content for m in turn.messages if m.role == "system"), "")
    user = next((m.content for m in turn.messages if m.role == "user"), "")
    strategy, rules = split_system(system)
    costs = next((line[2:] for line in rules.splitlines() if line.startswith("- Every fill")), "")
    sections = sections_of(user)
    equity, amounts = _account_amounts(_section(sections, "Your account"))
    for portfolio in (turn.checked.portfolio if turn.checked else None, turn.portfolio):
        amounts += portfolio_amounts(portfolio)
        if portfolio is not None and not equity:
            equity = {one.currency: value_of(one) for one in (portfolio, *portfolio.wallets)}
    return PromptParts(
        strategy=strategy.strip(),
        costs=costs,
        sections=sections,
        prices=_prices(_section(sections, "Tickers")),
        equity=equity,
        amounts=tuple(amounts),
    )


def sections_of(user: str) -> dict[str, list[str]]:
    """The lines of a user message by heading; "" has those before the first one."""
    found: dict[str, list[str]] = {"": []}
    lines = found[""]
    for line in user.splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line[3:].strip(), [])
        else:
            lines.append(line)
    return found


def _section(sections: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    return next((lines for head, lines in sections.items() if head.startswith(name)), ())


def _prices(lines: Sequence[str]) -> dict[str, Decimal]:
    """Product -> price, else best_ask, of the rows of the tickers."""
    columns = lines[0].split(",") if lines else []
    found = {}
    for line in lines[1:]:
        row = dict(zip(columns, line.split(","), strict=False))
        number = decimal_of(row.get("price") or row.get("best_ask") or "")
        if number is not None:
            found[row.get("product_id", "")] = number
    return found


def _account_amounts(lines: Sequence[str]) -> tuple[dict[str, Decimal], list[Decimal]]:
    equity: dict[str, Decimal] = {}
    amounts: list[Decimal] = []
    for line in lines:
        if match := _AMOUNT.match(line):
            value = decimal_of(match["value"])
            if value is None:
                continue
            amounts.append(value)
            if match["key"] == "equity":
                equity[match[3] or "USD"] = value
        gains = (decimal_of(part.partition("=")[2]) for part in _UNREALISED.findall(line))
        amounts += [gain for gain in gains if gain is not None]
    return equity, amounts


def portfolio_amounts(portfolio: Portfolio | None) -> list[Decimal]:
    """The cash amounts and values of an account as the executor reported it."""
    if portfolio is None:
        return []
    found: list[Decimal] = []
    for one in (portfolio, *portfolio.wallets):
        found += [one.cash_usd, one.scraped_usd, value_of(one)]
    return found


def value_of(account: Portfolio) -> Decimal:
    """The value of an account at the bids of its report."""
    held = (p.quantity * p.bid for p in account.positions if p.bid is not None)
    return account.cash_usd + account.scraped_usd + sum(held, Decimal(0))


def account_lines(parts: PromptParts) -> list[str]:
    """The account in shares of its value, without profit or loss."""
    found = []
    for line in _section(parts.sections, "Your account"):
        if match := _AMOUNT.match(line):
            equity = parts.equity.get(match[3] or "USD")
            value = decimal_of(match["value"])
            if match["key"] != "equity" and equity and value is not None:
                share = percent_text(value * 100 / equity)
                found.append(f"{match['key'].replace('_', ' ')}: {share} of the account")
        elif match := _POSITION.match(line):
            found.append(_position_line(match, parts))
        else:
            found.append(line)
    return found


def _position_line(match: re.Match[str], parts: PromptParts) -> str:
    quantity, rest = decimal_of(match["quantity"]), _UNREALISED.sub("", match["rest"])
    share = ""
    bid = _BID.search(rest)
    price = decimal_of(bid[1]) if bid else None
    equity = parts.equity_for(match["product"])
    if quantity is not None and price is not None and equity:
        share = f" ({percent_text(quantity * price * 100 / equity)} of the account)"
    return f"position: {match['product']} quantity={match['quantity']}{share}{rest}"


def market_lines(parts: PromptParts) -> list[str]:
    """Tickers, indicators, news and the newest bars of each window."""
    found: list[str] = []
    for head, lines in parts.sections.items():
        if not head or head.startswith(
            ("Your account", "Your last decisions", "Since your", "From your owner")
        ):
            continue
        bars = [line for line in lines if BAR.match(line)]
        left_out = set(bars[:-BARS_SHOWN])
        kept = [line for line in lines if line and line not in left_out]
        found += [f"### {head}", *kept, *([BARS_CUT] if left_out else [])]
    return found


def other_lines(parts: PromptParts, name: str) -> list[str]:
    """The lines of another section, such as "Your last decisions"."""
    return [line for line in _section(parts.sections, name) if line]


def bounded(lines: Sequence[str], chars_max: int) -> str:
    """The lines as one text, cut at a line's end to a bound."""
    text = "\n".join(lines)
    if len(text) <= chars_max:
        return text
    kept = text[: chars_max - len(CUT)]
    return (kept.rpartition("\n")[0] or kept) + CUT
