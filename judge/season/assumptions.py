"""What a season's figures assume, as values and as sentences. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena.currency import DEFAULT_CURRENCY, DOLLARS, cash_words
from arena.money import decimal_text
from arena.plural import counted
from arena.visible_text import one_line

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


def assumption_lines(known: Assumptions) -> tuple[str, ...]:
    """Return one sentence per assumption, for a reader who must judge the figures."""
    return (
        _market(known),
        _clock(known),
        _costs(known),
        *_changed(known),
        *_model_costs(known),
        "An order fills whole at the best ask (buy) or bid (sell) when it is decided, not at the "
        "price the agent saw; depth and market impact are not modelled.",
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


def _model_costs(known: Assumptions) -> tuple[str, ...]:
    unit = known.currency
    if unit == DEFAULT_CURRENCY:
        return ()
    if unit in DOLLARS:
        return (f"Model calls cost US dollars; one is counted as one {unit}.",)
    return (f"Model calls cost US dollars; they are in no return, as accounts hold {unit}.",)


def _costs(known: Assumptions) -> str:
    if known.fee_bps is None or known.slippage_bps is None or known.starting_cash_usd is None:
        return "The executor published no rules: the equal-weight market is computed without costs."
    return (
        f"Starting cash {cash_words(known.starting_cash_usd, known.currency)}; taker fee "
        f"{decimal_text(known.fee_bps)} bps ({known.fee_schedule}), slippage "
        f"{decimal_text(known.slippage_bps)} bps against the taker; long only, no borrowing."
    )
