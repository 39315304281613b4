"""What a season's figures assume, as values and as sentences. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena.currency import DEFAULT_CURRENCY, DOLLARS, cash_words
from arena.money import decimal_text
from arena.plural import counted
from arena.visible_text import one_line
from judge.formatting import joined_names

SOURCE_CHARS_MAX = 300
"""Longest description of a price source that is printed."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the figures assume; printed next to them.

    Attributes:
        fee_bps, slippage_bps, starting_cash_usd: None if the executor published no rules.
        recorded: True if the prices come from a real market.
        source: Description of where recorded prices come from; "" if the records do not say.
        interval_s: Venue seconds between snapshots.
        pacing: The competition's pacing; None if it is not known.
        first, last: Venue times of the first and last snapshot; None without a snapshot.
        rules_changed: What changed and when, if orders were decided by different rules; else "".
            `fee_bps` and the other rules are those at the start of the season.
        planned: Number of snapshots planned at the start of the season; None without a planned
            end.
        currency: Currency of the accounts.
        restricted: Products that could not be traded at the last snapshot, each with the reason.
        notes: Missing or unusual records, one sentence each.
        wallets: Further currencies of the accounts, each with its starting cash.
        fills: What a replay of candles assumes about fills; "" for another market.
    """

    venue: str
    simulated: bool
    speed: float
    pacing: str | None
    interval_s: float
    snapshots: int
    first: datetime | None
    last: datetime | None
    products: tuple[str, ...]
    starting_cash_usd: Decimal | None
    fee_schedule: str
    fee_bps: Decimal | None
    slippage_bps: Decimal | None
    rules_changed: str = ""
    notes: tuple[str, ...] = ()
    planned: int | None = None
    recorded: bool = False
    source: str = ""
    currency: str = DEFAULT_CURRENCY
    restricted: tuple[tuple[str, str], ...] = ()
    wallets: tuple[tuple[str, Decimal], ...] = ()
    fills: str = ""

    @property
    def is_of_real_market(self) -> bool:
        """True if the prices are those of a market, live or recorded."""
        return self.recorded or not self.simulated

    @property
    def currencies(self) -> tuple[str, ...]:
        """Currencies of the accounts, the main one first."""
        return (self.currency, *(currency for currency, _ in self.wallets))

    @property
    def model_currency(self) -> str | None:
        """Currency that model calls are paid from, one for a US dollar; None without one."""
        return next((one for one in self.currencies if one in DOLLARS), None)


def assumption_lines(known: Assumptions) -> tuple[str, ...]:
    """Return one sentence per assumption, for a reader who must judge the figures."""
    return (
        _market(known),
        _clock(known),
        _costs(known),
        *_changed(known),
        *_index(known),
        *_model_costs(known),
        "A market order fills whole at the best ask (buy) or bid (sell) when it is decided, not at "
        "the price the agent saw; so do exits, at the ticker that triggered them or the first "
        "fresh one; depth and market impact are not modelled.",
        *((known.fills,) if known.fills else ()),
        "Positions are marked at the best bid, so a position could be sold at its mark, less the "
        "fee; a position without a bid is marked at its cost.",
        "An order counts from the snapshot it answers, whenever it arrived.",
        *known.notes,
    )


def _market(known: Assumptions) -> str:
    products = ", ".join(known.products) or "none"
    if known.recorded:
        source = one_line(known.source, SOURCE_CHARS_MAX) or "recorded prices"
        return f"Prices: {source} (recorded, not a live market); products: {products}."
    if known.simulated:
        return f"Prices: a simulation or a recording, not a live market; products: {products}."
    return f"Prices: {known.venue or 'no venue'} (live); products: {products}."


def _clock(known: Assumptions) -> str:
    if known.first is None or known.last is None:
        return "No snapshot was read."
    span = f"{known.first:%Y-%m-%d %H:%M:%S} to {known.last:%Y-%m-%d %H:%M:%S} UTC"
    words = f"{_count(known)} every {known.interval_s:g} s of market time, {span}"
    if known.pacing == "lock-step":
        words += "; lock-step: the next snapshot waits for every decision"
    elif known.speed == 1:
        words += "; in real time: slow agents skip snapshots"
    else:
        words += f"; market time runs at {known.speed:g} times the clock"
    return f"{words}; a year has 365 days of 24 hours."


def _count(known: Assumptions) -> str:
    planned = known.planned
    if planned is None or known.snapshots >= planned:
        return counted(known.snapshots, "snapshot")
    return f"{known.snapshots:,} of {planned:,} planned snapshots"


def _changed(known: Assumptions) -> tuple[str, ...]:
    if not known.rules_changed:
        return ()
    words = known.rules_changed
    return (
        f"{words[:1].upper()}{words[1:]}; the equal-weight market pays what was charged first.",
    )


def _index(known: Assumptions) -> tuple[str, ...]:
    if not known.wallets:
        return ()
    names = joined_names(known.currencies, len(known.currencies))
    return (
        f"Accounts hold {names}, and no amount is converted: returns are those of a wealth index, "
        "the mean over an account's currencies of its equity in one over its starting cash in it; "
        "the equal-weight market starts with equal shares of the currencies too.",
    )


def _model_costs(known: Assumptions) -> tuple[str, ...]:
    unit = known.model_currency
    if unit is None:
        held = joined_names(known.currencies, len(known.currencies))
        return (f"Model calls cost US dollars; they are in no return, as accounts hold {held}.",)
    if known.wallets:
        return (f"Model calls cost US dollars, and are paid from the {unit}, one for one.",)
    if unit == DEFAULT_CURRENCY:
        return ()
    return (f"Model calls cost US dollars; one is counted as one {unit}.",)


def _costs(known: Assumptions) -> str:
    if known.fee_bps is None or known.slippage_bps is None or known.starting_cash_usd is None:
        return "The executor published no rules: the equal-weight market is computed without costs."
    held = ((known.currency, known.starting_cash_usd), *known.wallets)
    cash = [cash_words(amount, currency) for currency, amount in held]
    return (
        f"Starting cash {joined_names(cash, len(cash))}; taker fee "
        f"{decimal_text(known.fee_bps)} bps ({known.fee_schedule}), slippage "
        f"{decimal_text(known.slippage_bps)} bps against the taker; long only, no borrowing."
    )
