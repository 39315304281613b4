"""One row of the leaderboard: metrics and statistics of an entrant. Pure."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from statistics import fmean, stdev
from typing import Any

from arena.currency import cash_step
from arena.messages import Estimate, LeaderboardRow, Repeat, WalletAmounts
from arena.metrics.returns import total_return
from arena.model_cutoffs import Contamination, contamination_of
from arena.money import AMOUNT_MAX, from_units
from judge.cells import Entrant
from judge.entrants import ComparedWindow
from judge.formatting import joined_names
from judge.metrics import Metrics
from judge.season.types import Season
from judge.simple_returns import TOO_WIDE, simple_interval
from judge.statistics import AgentStatistics, Interval, SeasonVerdict

_MICRO = Decimal("0.000001")
AMOUNT_BOUND = Decimal(int(from_units(AMOUNT_MAX)))
"""Largest amount that a message can hold."""

AMOUNTS = (
    "equity_usd", "fees_usd", "slippage_usd", "latency_usd", "biggest_win_usd", "biggest_loss_usd",
)  # fmt: skip
"""Amounts of money. If one is unknown for some repeats, the mean is over the others."""
WALLET_AMOUNTS = tuple(name.removesuffix("_usd") for name in AMOUNTS)
"""The same, as `WalletAmounts` names them."""
COSTS = ("llm_usd", "llm_paid_usd", "net_return")
"""Columns that are unknown if any repeat's is: a mean without a cost would be too low."""
RATIOS = (
    "total_return", "gross_return", "drawdown", "sortino", "calmar", "volatility",
    "win_rate", "profit_factor", "turnover", "invalid_rate", "hold_share",
)  # fmt: skip
"""Columns that are plain numbers."""
COUNTS = ("drawdown_periods", "trades", "closed", "rejected", "decisions", "aborted", "skipped")
"""Columns that are integers; means are rounded."""
RENAMED = {"drawdown": "max_drawdown", "compared_return": "total_return"}
"""Column -> metric, if their names differ."""
STATISTICS = {
    "return_interval": "total",
    "sharpe": "sharpe",
    "psr": "psr",
    "dsr": "dsr",
    "p_best": "p_best",
    "bradley_terry": "bradley_terry",
}
"""Column -> name in the verdict."""
UNEXPLAINED = frozenset({"seed", "repeat_sd"})
"""Columns that are None without a reason: for an entrant without a seed, or without repeats."""


def row_of(
    season: Season,
    entrant: Entrant,
    metrics: Sequence[Metrics],
    standing: AgentStatistics,
    verdict: SeasonVerdict,
    *,
    part: ComparedWindow,
    periods: float | None = None,
) -> LeaderboardRow:
    """Return the row of an entrant; amounts, counts and returns are means over its repeats.

    Args:
        season: The season.
        entrant: The entrant.
        metrics: Metrics of every entry of the season.
        standing: Statistics of the entrant.
        verdict: All statistics, for the reasons.
        part: Window of the shown returns.
        periods: Number of periods that decide its return.
    """
    gains = [total_return(season.equity[part.begin : part.end + 1, n]) for n in entrant.places]
    known = [gain for gain in gains if gain is not None]
    gain = fmean(known) if known else None
    hold = total_return(season.hold[part.begin : part.end + 1])
    own = [metrics[index] for index in entrant.places]
    interval = simple_interval(standing.total, periods)
    row = LeaderboardRow(
        rank_low=standing.rank_low,
        rank_high=standing.rank_high,
        agent=entrant.name,
        strategy=entrant.strategy,
        model=entrant.model,
        node=entrant.node,
        kind=entrant.kind,
        scripted=entrant.scripted,
        seed=entrant.seed,
        repeats=_repeats(season, entrant, own, gains),
        repeat_sd=stdev(known) if entrant.is_cell and len(known) > 1 else None,
        compared_return=gain,
        excess_return=None if gain is None or hold is None else gain - hold,
        return_interval=interval,
        sharpe=_estimate(standing.sharpe),
        psr=standing.psr,
        dsr=standing.dsr,
        bradley_terry=_estimate(standing.bradley_terry),
        p_best=standing.p_best,
        cutoff=season.entries[entrant.places[0]].cutoff,
        contaminated=_contaminated(season, season.entries[entrant.places[0]].cutoff),
        versions=max(season.versions.get(season.entries[n].name, 0) for n in entrant.places),
        **_means(own, _step(season)),
        wallets=_wallets(own),
    )
    return row.model_copy(update={"reasons": _reasons(row, own, standing, verdict)})


def _contaminated(season: Season, cutoff: str) -> Contamination:
    """Return whether a model may have read about the season's prices; a simulation has none."""
    known = season.assumptions
    if not known.is_of_real_market:
        return ""
    return contamination_of(cutoff, known.first, known.last)


def _step(season: Season) -> Decimal:
    """Return the smallest step of cash."""
    return from_units(cash_step(season.assumptions.currency)).normalize()


def _wallets(own: Sequence[Metrics]) -> tuple[WalletAmounts, ...]:
    """Return the means of the repeats' amounts in each further currency."""
    found = []
    for place, first in enumerate(own[0].wallets):
        step = from_units(cash_step(first.currency)).normalize()
        columns: dict[str, Any] = {}  # Any: the fields of a message.
        for name in WALLET_AMOUNTS:
            values = [getattr(one.wallets[place], f"{name}_usd") for one in own]
            known = [value for value in values if value is not None]
            columns[name] = amount_mean(known, step) if known else None
        trades = round(fmean(one.wallets[place].trades for one in own))
        found.append(WalletAmounts(currency=first.currency, trades=trades, **columns))
    return tuple(found)


def metric_of(column: str) -> str:
    """Return the metric that a column of the leaderboard shows."""
    return RENAMED.get(column, column)


def _means(own: Sequence[Metrics], step: Decimal) -> dict[str, Any]:  # Any: the fields of a row.
    found: dict[str, Any] = {}
    for column in AMOUNTS:
        found[column] = _mean(own, column, partial(amount_mean, step=step))
    for column in COSTS:
        values = [getattr(one, column) for one in own]
        if any(value is None for value in values):
            found[column] = None
        else:
            found[column] = amount_mean(values) if column.endswith("_usd") else fmean(values)
    for column in RATIOS:
        found[column] = _mean(own, metric_of(column), fmean)
    for column in COUNTS:
        found[column] = _mean(own, column, lambda known: round(fmean(known)))
    return found


def _mean(own: Sequence[Metrics], name: str, of: Callable[[list[Any]], Any]) -> Any:
    """Return the mean over the repeats with a known metric; None if it is known for none."""
    known = [value for one in own if (value := getattr(one, name)) is not None]
    return of(known) if known else None


def amount_mean(amounts: Sequence[float | Decimal], step: Decimal = _MICRO) -> Decimal:
    """Return the mean of amounts, to a step of cash; a single exact amount is not rounded.

    The result is limited to `AMOUNT_BOUND`, the most that a message can hold.
    """
    exact = [one if isinstance(one, Decimal) else Decimal(repr(one)) for one in amounts]
    mean = exact[0] if len(exact) == 1 else sum(exact, Decimal(0)) / len(exact)
    bounded = min(max(mean, -AMOUNT_BOUND), AMOUNT_BOUND)
    if len(exact) == 1 and isinstance(amounts[0], Decimal):
        return bounded
    return bounded.quantize(step)


def oversized_equity_note(rows: Sequence[LeaderboardRow], currency: str) -> str:
    """Return a sentence about equities beyond `AMOUNT_BOUND`; "" without any."""
    held = [(currency, row.agent, row.equity_usd) for row in rows]
    held += [(one.currency, row.agent, one.equity) for row in rows for one in row.wallets]
    large: dict[str, list[str]] = {}
    for unit, agent, equity in held:
        if abs(equity) >= AMOUNT_BOUND:
            large.setdefault(unit, []).append(agent)
    return " ".join(
        f"The equity of {joined_names(names)} {'is' if len(names) == 1 else 'are'} beyond"
        f" {AMOUNT_BOUND:,} {unit}, the largest amount that a message can hold: a price it is"
        " marked at cannot be real."
        for unit, names in large.items()
    )


def _repeats(
    season: Season, entrant: Entrant, own: Sequence[Metrics], gains: Sequence[float | None]
) -> tuple[Repeat, ...]:
    if not entrant.is_cell:
        return ()
    return tuple(
        Repeat(
            agent=season.entries[index].name,
            seed=season.entries[index].seed,
            equity_usd=amount_mean([found.equity_usd], _step(season)),
            total_return=gain,
            wallets={one.currency: one.equity for one in _wallets([found])},
        )
        for index, found, gain in zip(entrant.places, own, gains, strict=True)
    )


def _reasons(
    row: LeaderboardRow, own: Sequence[Metrics], standing: AgentStatistics, verdict: SeasonVerdict
) -> dict[str, str]:
    """Return the reason for every column that is None."""
    reasons: dict[str, str] = {}
    for column in LeaderboardRow.model_fields:
        if getattr(row, column) is not None or column in UNEXPLAINED:
            continue
        if column == "return_interval" and standing.total is not None:
            reasons[column] = TOO_WIDE
        elif (name := STATISTICS.get(column)) is not None:
            why = verdict.reasons.get(f"{name}:{row.agent}") or verdict.reasons.get(name)
            reasons[column] = why or "; ".join(verdict.method)
        else:
            metric = metric_of(column)
            known = (one.reasons[metric] for one in own if metric in one.reasons)
            reasons[column] = next(known, "no period yet")
    return reasons


def _estimate(interval: Interval | None) -> Estimate | None:
    if interval is None:
        return None
    return Estimate(value=interval.estimate, low=interval.low, high=interval.high)
