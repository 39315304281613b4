"""The leaderboard as rows: the judge's figures with their interval plot, the account beside. Pure.

With a verdict a row is an entrant of the judge, in the judge's order and with the judge's figures;
equity, costs and counts are those of the accounts now. Without one a row is an agent, and no rank
is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from arena.page.intervals import IntervalAxis, Plot, interval_axis
from arena.page.series import HOLD_STRATEGY
from dashboard.model.results import AgentStanding, HaltResult, Leaderboard, Verdict, VerdictRow
from dashboard.web.page import formats

PERCENT = 100.0
SLOTS_MAX = 12
"""Most entrants whose rank set is drawn as slots."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the leaderboard; all figures are in words.

    Attributes:
        agents: Its agents: one, or the repeats of a cell.
        separated: "above" or "below" if a claim holds against buy-and-hold; "" otherwise.
        halted: The halt of the agent, or None.
    """

    name: str
    agents: tuple[str, ...]
    style: str
    tag: str
    model: str
    ranks: str
    slots: tuple[bool, ...]
    returned: str
    interval: str
    vs_hold: str
    drawdown: str
    equity: str
    costs: str
    trades: str
    skipped: str
    plot: Plot
    separated: str
    halted: HaltResult | None


@dataclass(frozen=True, slots=True)
class Board:
    """The leaderboard.

    Attributes:
        rows: Entrants, best first.
        unjudged: Agents that the newest verdict does not have.
        axis: The axis of the interval plots.
    """

    rows: tuple[Row, ...]
    unjudged: tuple[Row, ...]
    axis: IntervalAxis


def board(found: Leaderboard, verdict: Verdict | None, styles: Mapping[str, str]) -> Board:
    """Lay out the leaderboard."""
    judged = verdict.rows if verdict is not None else ()
    shown = [row.return_low for row in judged] + [row.return_high for row in judged]
    shown += [_point(row) for row in judged]
    known = {one.agent: one for one in found.agents}
    rest = [one for one in found.agents if one.alive and not _is_judged(one, judged)]
    if verdict is None:
        shown += [_share(one) for one in rest]
    axis = interval_axis(shown, _hold(found, verdict))
    halts = {one.scope: one for one in found.halted}
    return Board(
        rows=tuple(
            _judged_row(row, verdict, known, styles, axis, halts) for row in judged if verdict
        ),
        unjudged=tuple(
            _live_row(one, styles, axis if verdict is None else None, halts) for one in rest
        ),
        axis=axis,
    )


def _hold(found: Leaderboard, verdict: Verdict | None) -> float | None:
    if verdict is not None and verdict.hold_return is not None:
        return verdict.hold_return
    baselines = [one for one in found.agents if one.strategy == HOLD_STRATEGY and one.alive]
    return _share(baselines[0]) if baselines and verdict is None else None


def _share(one: AgentStanding) -> float | None:
    return None if one.return_pct is None else float(one.return_pct) / PERCENT


def _point(row: VerdictRow) -> float | None:
    """The return that the interval is of."""
    return row.total_return if row.compared_return is None else row.compared_return


def _is_judged(one: AgentStanding, rows: tuple[VerdictRow, ...]) -> bool:
    return any(one.agent in row.agents for row in rows)


def _judged_row(
    row: VerdictRow,
    verdict: Verdict,
    known: Mapping[str, AgentStanding],
    styles: Mapping[str, str],
    axis: IntervalAxis,
    halts: Mapping[str, HaltResult],
) -> Row:
    accounts = [known[name] for name in row.agents if name in known]
    count = len(verdict.rows)
    single = accounts[0] if len(accounts) == 1 else None
    equity = single.equity_usd if single else row.equity_usd
    return Row(
        name=row.agent,
        agents=row.agents,
        style=styles.get(row.agents[0], "grey"),
        tag=_tag(row.kind, len(row.agents)),
        model=formats.shown_model(row.model, row.scripted),
        ranks=formats.ranks(row.rank_low, row.rank_high),
        slots=tuple(row.rank_low <= k <= row.rank_high for k in range(1, count + 1))
        if count <= SLOTS_MAX
        else (),
        returned=formats.share(row.total_return),
        interval=formats.interval(row.return_low, row.return_high),
        vs_hold=formats.share(row.excess_return),
        drawdown=formats.share(None if row.drawdown is None else -row.drawdown),
        equity=formats.money(equity),
        costs=_costs(accounts),
        trades=f"{sum(one.trades for one in accounts):,}",
        skipped=f"{sum(one.skipped_snapshots for one in accounts):,}",
        plot=axis.plot(row.return_low, row.return_high, _point(row)),
        separated=_separated(row, verdict),
        halted=halts.get(row.agents[0]) if len(row.agents) == 1 else None,
    )


def _tag(kind: str, agents: int) -> str:
    if agents > 1:
        return f"{agents} repeats"
    return "baseline" if kind == "baseline" else ""


def _costs(accounts: list[AgentStanding]) -> str:
    """Fees, slippage and latency; the cost of models is in the section on costs."""
    paid = [one.fees_usd + one.slippage_usd + one.latency_cost_usd for one in accounts]
    return formats.money(sum(paid, Decimal(0))) if paid else formats.UNKNOWN


def _separated(row: VerdictRow, verdict: Verdict) -> str:
    holds = {one.agent for one in verdict.rows if one.strategy == HOLD_STRATEGY}
    for claim in verdict.claims:
        if claim.withdrawn is None and claim.measure == "return":
            if claim.winner == row.agent and claim.loser in holds:
                return "above"
            if claim.loser == row.agent and claim.winner in holds:
                return "below"
    return ""


def _live_row(
    one: AgentStanding,
    styles: Mapping[str, str],
    axis: IntervalAxis | None,
    halts: Mapping[str, HaltResult],
) -> Row:
    return Row(
        name=one.agent,
        agents=(one.agent,),
        style=styles.get(one.agent, "grey"),
        tag=one.apart or _tag(one.kind, 1),
        model=formats.shown_model(one.model, one.scripted),
        ranks=formats.UNKNOWN,
        slots=(),
        returned=formats.pct(one.return_pct),
        interval=formats.UNKNOWN,
        vs_hold=formats.UNKNOWN,
        drawdown=formats.pct(None if one.max_drawdown_pct is None else -one.max_drawdown_pct),
        equity=formats.money(one.equity_usd),
        costs=_costs([one]),
        trades=f"{one.trades:,}",
        skipped=f"{one.skipped_snapshots:,}",
        plot=Plot(None, None, None) if axis is None else axis.plot(None, None, _share(one)),
        separated="",
        halted=halts.get(one.agent),
    )
