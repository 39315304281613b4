"""Questions to the read model, and their answers as results. Pure.

Each function takes the view, or a frame of it, and returns a typed result; the skins (terminal,
page, REST) show these and compute nothing of their own. Pages of turns and trades are read by
`dashboard.model.history`.
"""

from datetime import datetime
from decimal import Decimal

from arena.currency import DEFAULT_CURRENCY
from arena.errors import UsageError
from arena.messages import Evaluation, LeaderboardRow
from arena.money import notional_units
from arena.trading_modes import restriction
from dashboard.model import agent_results
from dashboard.model.coaching_results import prompt_marks
from dashboard.model.equity_curves import Value, thin
from dashboard.model.frame import Frame
from dashboard.model.results import (
    AgentCosts,
    AgentStanding,
    Candles,
    Costs,
    EquityCurveResult,
    EquityCurves,
    Halts,
    Health,
    Leaderboard,
    PortfolioResult,
    Position,
    Positions,
    Price,
    Prices,
    Verdict,
    VerdictRow,
)
from dashboard.model.rows import PositionRow, ReadStatus
from dashboard.model.shadows import shadow_costs
from dashboard.model.supervisor_results import supervisors
from dashboard.model.view import ArenaView

CURVE_POINTS = 300


class UnknownName(UsageError):
    """The agent, product or granularity that was asked for does not exist."""


def leaderboard(view: ArenaView, frame: Frame, *, run: str = "", ended: str = "") -> Leaderboard:
    """The ranking, with the verdict, the dead, the halts and the rules.

    Args:
        view: The view that the frame is of.
        frame: The frame.
        run: Name of the run.
        ended: "ended 22:39" if it has ended.
    """
    summary, evaluation = frame.summary, frame.evaluation
    return Leaderboard(
        run=run,
        ended=ended,
        market=agent_results.market(summary),
        currency=summary.currency,
        wallets=summary.wallets,
        rules=agent_results.rules(summary),
        verdict=evaluation.verdict if evaluation else "",
        interim=evaluation.interim if evaluation else None,
        agents=tuple(agent_results.agent_standing(row) for row in frame.ranking),
        dead=agent_results.dead_agents(frame),
        other_accounts=tuple(agent_results.agent_standing(row) for row in frame.other_accounts),
        halted=agent_results.halts(frame.halts),
        digest=view.accounts.digest(),
        partial=summary.partial,
    )


def verdict(view: ArenaView) -> Verdict | None:
    """The judge's newest verdict; None without an evaluation."""
    evaluation = view.evaluation
    return None if evaluation is None else verdict_of(evaluation)


def verdict_of(evaluation: Evaluation) -> Verdict:
    """An evaluation as a result."""
    return Verdict(
        evaluation_id=evaluation.evaluation_id,
        snapshots=evaluation.snapshots,
        as_of=evaluation.as_of,
        words=evaluation.verdict,
        confidence=evaluation.confidence,
        detectable=evaluation.detectable,
        detectables=evaluation.detectables,
        hold_return=evaluation.hold_return,
        interim=evaluation.interim,
        look=evaluation.look,
        looks=evaluation.looks,
        planned=evaluation.planned,
        claims=evaluation.claims,
        rows=tuple(_verdict_row(row) for row in evaluation.rows),
        dead=evaluation.dead,
        apart=evaluation.apart,
        warnings=evaluation.warnings,
    )


def _verdict_row(row: LeaderboardRow) -> VerdictRow:
    interval = row.return_interval
    return VerdictRow(
        rank_low=row.rank_low,
        rank_high=row.rank_high,
        agent=row.agent,
        agents=tuple(one.agent for one in row.repeats) or (row.agent,),
        strategy=row.strategy,
        model=row.model,
        kind=row.kind,
        scripted=row.scripted,
        equity_usd=row.equity_usd,
        total_return=row.total_return,
        compared_return=row.compared_return,
        return_low=interval.low if interval else None,
        return_high=interval.high if interval else None,
        excess_return=row.excess_return,
        drawdown=row.drawdown,
        sharpe=row.sharpe.value if row.sharpe else None,
        p_best=row.p_best,
    )


def standing(frame: Frame, agent: str) -> AgentStanding:
    """One agent's row, also of an account that is not a contestant's, or in a trial that runs.

    Raises:
        UnknownName: There is no such agent.
    """
    for row in (*frame.ranking, *frame.other_accounts, *frame.shadows):
        if row.agent == agent:
            return agent_results.agent_standing(row)
    known = ", ".join(row.agent for row in frame.ranking) or "none yet"
    raise UnknownName(f"unknown agent {agent!r}", remedy=f"agents: {known}")


def positions(frame: Frame, agent: str | None = None) -> tuple[Position, ...]:
    """The positions of one agent or of all, in the order of the ranking."""
    return tuple(
        _position(row, frame.summary.currency)
        for row in frame.positions
        if agent in (None, row.agent)
    )


def all_positions(view: ArenaView, frame: Frame, agent: str | None = None) -> Positions:
    """The positions of all agents, or of one.

    Raises:
        UnknownName: There is no such agent.
    """
    if agent is not None:
        standing(frame, agent)
    return Positions(
        currency=view.currency,
        as_of=frame.summary.venue_now,
        positions=positions(frame, agent),
    )


def _position(row: PositionRow, currency: str) -> Position:
    value = None if row.bid is None else notional_units(row.quantity, row.bid)
    return Position(
        agent=row.agent,
        product_id=row.product_id,
        currency=row.unit or currency,
        quantity=agent_results.decimal(row.quantity),
        average_cost=agent_results.price(row.average_cost),
        bid=None if row.bid is None else agent_results.price(row.bid),
        value=agent_results.amount(value),
        unrealised=agent_results.amount(row.unrealised),
        held_s=row.held_s,
        closed=row.closed,
    )


def portfolio(frame: Frame, agent: str) -> PortfolioResult:
    """An agent's account with its positions.

    Raises:
        UnknownName: There is no such agent.
    """
    return PortfolioResult(
        agent=agent,
        currency=frame.summary.currency,
        as_of=frame.summary.venue_now,
        account=standing(frame, agent),
        positions=positions(frame, agent),
    )


def halts(view: ArenaView, now: datetime) -> Halts:
    """The halts in force.

    Args:
        view: The view.
        now: The broker's time.
    """
    rows = view.halts.rows(view.processes.living("tools", now))
    return Halts(halted=agent_results.halts(rows))


def prices(view: ArenaView, frame: Frame) -> Prices:
    """The newest price of every product, by id."""
    newest = view.market.newest
    views = {one.product_id: one for one in newest.products} if newest else {}
    found = []
    for product_id, mark in sorted(view.market.marks.items()):
        product = views.get(product_id)
        ticker = product.ticker if product else None
        is_same = ticker is not None and ticker.event_time == mark.event_time
        found.append(
            Price(
                product_id=product_id,
                venue=ticker.venue if ticker else frame.summary.venue,
                price=ticker.price if ticker and is_same else None,
                best_bid=agent_results.price(mark.bid),
                best_ask=ticker.best_ask if ticker and is_same else None,
                event_time=mark.event_time,
                age_s=round((frame.now - mark.alive_at).total_seconds(), 1),
                stale=product is None or product.stale,
                closed=restriction(product.status, product.modes) if product else "",
            )
        )
    return Prices(market=agent_results.market(frame.summary), prices=tuple(found))


def candles(view: ArenaView, product_id: str, granularity: str = "") -> Candles:
    """The closed candles of a product in the newest snapshot.

    Args:
        view: The view.
        product_id: Id of the product.
        granularity: "1m", "5m", "15m", or what the snapshot has; "" for the shortest.

    Raises:
        UnknownName: The newest snapshot has no such product or granularity.
    """
    newest = view.market.newest
    product = newest.view(product_id) if newest else None
    if newest is None or product is None:
        known = ", ".join(one.product_id for one in newest.products) if newest else "none yet"
        raise UnknownName(f"unknown product {product_id!r}", remedy=f"products: {known}")
    granularity = granularity or next(reversed(product.windows), "")
    window = product.windows.get(granularity)
    if window is None:
        known = ", ".join(product.windows) or "none yet"
        raise UnknownName(
            f"{product_id} has no candles of {granularity!r}", remedy=f"granularities: {known}"
        )
    return Candles(
        product_id=product_id,
        granularity=granularity,
        granularity_s=window.granularity_s,
        candles=window.candles,
        gaps=window.gaps,
        stale=window.stale,
    )


def equity_curves(view: ArenaView, frame: Frame, points: int = CURVE_POINTS) -> EquityCurves:
    """The equity of every ranked agent at the kept snapshots.

    Args:
        view: The view that the frame is of.
        frame: The frame.
        points: Approximate number of points.
    """
    first = view.snapshots.points[0].offset if view.snapshots.points else 0
    all_points: list[Value] = [(point.as_of_ms, None) for point in view.snapshots.points]
    times = tuple(ms for ms, _ in thin(all_points, first, points))
    curves = []
    for series in frame.series:
        all_values = view.accounts.values(series.agent, view.snapshots)
        known = dict(thin(all_values, first, points))
        values = tuple(known.get(ms) for ms in times)
        curves.append(
            EquityCurveResult(
                agent=series.agent,
                rank=series.rank,
                opening=agent_results.decimal(series.opening),
                values=tuple(agent_results.amount(value) for value in values),
                drawdowns_pct=_drawdowns(all_values, times),
                prompts=prompt_marks(view, series.agent),
            )
        )
    return EquityCurves(currency=frame.summary.currency, times=times, curves=tuple(curves))


def _drawdowns(values: list[Value], times: tuple[int, ...]) -> tuple[Decimal | None, ...]:
    """The drawdown at some of the times, from the high of all values up to there."""
    wanted, found, high = set(times), dict[int, Decimal | None](), 0
    for ms, value in values:
        high = max(high, value or 0)
        if ms in wanted:
            found[ms] = None if value is None else agent_results.percent(high - value, high)
    return tuple(found.get(ms) for ms in times)


def costs(view: ArenaView, frame: Frame) -> Costs:
    """What agents paid to the market and for their models."""
    summary, total = frame.summary, view.calls.total
    return Costs(
        currency=summary.currency or DEFAULT_CURRENCY,
        agents=tuple(
            AgentCosts(
                agent=row.agent,
                node=row.node,
                model=row.model,
                scripted=row.scripted,
                fees_usd=agent_results.decimal(row.fees),
                slippage_usd=agent_results.decimal(row.slippage),
                latency_cost_usd=agent_results.decimal(row.latency_cost),
                calls=spent.calls if (spent := view.calls.agents.get(row.agent)) else 0,
                errors=spent.errors if spent else 0,
                tokens=row.tokens,
                tokens_estimated=row.estimated,
                cost_usd=row.cost_usd,
                calls_of_unknown_price=row.unpriced,
            )
            for row in frame.ranking
        ),
        calls=total.calls,
        errors=total.errors,
        tokens=total.tokens,
        cost_usd=total.known_cost,
        calls_of_unknown_price=total.unpriced,
        partial=summary.partial,
        shadows=shadow_costs(view),
    )


def health(frame: Frame, reading: ReadStatus) -> Health:
    """The state of processes, feed and records.

    Args:
        frame: The frame.
        reading: Progress of reading the topics.
    """
    summary = frame.summary
    return Health(
        ready=reading.read_share is None,
        unread=reading.unread,
        broker_silent_s=reading.silent_s,
        market=agent_results.market(summary),
        processes=tuple(agent_results.process_health(row) for row in frame.processes),
        halted=agent_results.halts(frame.halts),
        llm_errors=summary.llm_errors,
        dead_letters=summary.dead_letters,
        malformed=summary.malformed,
        malformed_newest=summary.malformed_newest,
        broken_log=summary.broken_log,
        supervisors=supervisors(frame.supervisors, frame.processes),
    )
