"""The assumptions behind a season's figures, in words. Pure."""

from arena.currency import DEFAULT_CURRENCY, DOLLARS, cash_words
from arena.money import decimal_text
from arena.plural import counted
from arena.visible import one_line
from judge.season.model import Assumptions

SOURCE_CHARS_MAX = 300


def assumption_lines(known: Assumptions) -> tuple[str, ...]:
    """One sentence for each thing a reader must know to trust, or to doubt, the figures."""
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
        words += "; in real time: who is slow skips snapshots"
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
