"""Agents, halts and processes of a frame as results. Pure."""

from decimal import Decimal

from arena.agent_health import DeadAgent
from arena.gate_counts import GateFigures
from arena.messages import LeaderboardRow
from arena.money import PriceUnits, from_units, price_text, to_digits, units_text
from dashboard.labels import market_text
from dashboard.model.frame import Frame
from dashboard.model.halts import HaltRow
from dashboard.model.processes import ProcessRow
from dashboard.model.results import (
    AgentStanding,
    DeadAgentResult,
    ExitsResult,
    GatesResult,
    HaltResult,
    Judged,
    LimitResult,
    Market,
    OpenOrderResult,
    ProcessHealth,
    RiskResult,
    RulesResult,
    WalletStanding,
)
from dashboard.model.risk_rows import OrderRow, RiskRow
from dashboard.model.rows import AgentRow, ArenaSummary
from dashboard.model.wealth import CurrencyRow

PERCENT_DIGITS = 4


def percent(gain: int | None, whole: int) -> Decimal | None:
    """A gain in percent of a whole, to four digits; None if either is unknown."""
    if gain is None or not whole:
        return None
    return to_digits(from_units(gain) / from_units(whole) * 100, PERCENT_DIGITS)


def decimal(units: int) -> Decimal:
    """An amount in units of 10^-8 as a decimal without trailing zeros."""
    return Decimal(units_text(units))


def amount(units: int | None) -> Decimal | None:
    """The same; None stays None."""
    return None if units is None else decimal(units)


def price(units: PriceUnits) -> Decimal:
    """A price in units of 10^-18 as a decimal without trailing zeros."""
    return Decimal(price_text(units))


def agent_standing(row: AgentRow) -> AgentStanding:
    """An agent's row of the ranking."""
    return AgentStanding(
        rank=row.rank or None,
        agent=row.agent,
        alive=row.dead is None,
        apart=row.not_comparable or None,
        strategy=row.strategy,
        kind=row.kind,
        model=row.model,
        scripted=row.scripted,
        equity_usd=amount(row.equity),
        return_pct=percent(row.gain, row.whole),
        max_drawdown_pct=None if row.max_drawdown is None else percent(*row.max_drawdown),
        cash_usd=amount(row.cash),
        scraped_usd=amount(row.scraped),
        positions={product_id: decimal(quantity) for product_id, quantity in row.held},
        fees_usd=decimal(row.fees),
        slippage_usd=decimal(row.slippage),
        latency_cost_usd=decimal(row.latency_cost),
        realised_usd=decimal(row.realised),
        trades=row.fills,
        rejections=row.rejections,
        turns=row.turns,
        turns_aborted=row.turns_aborted,
        skipped_snapshots=row.skipped,
        gates=_gates(row.gates),
        risk=_risk(row.risk),
        exits=_exits(row.risk),
        orders=tuple(_open_order(one) for one in row.risk.orders),
        tokens=row.tokens,
        tokens_estimated=row.estimated,
        cost_usd=row.cost_usd,
        calls_of_unknown_price=row.unpriced,
        judged=None if row.judged is None else _judged(row.judged),
        currencies=tuple(_wallet(one) for one in row.currencies),
        shadow_of=row.shadow_of,
    )


def _gates(found: GateFigures) -> GatesResult:
    return GatesResult(
        settings=found.gates,
        asked=found.asked,
        skipped=dict(found.skipped),
        calls_saved_estimate=round(found.calls_saved, 1),
        usd_saved_estimate=found.usd_saved,
    )


def _risk(row: RiskRow) -> RiskResult:
    counts = row.counts
    return RiskResult(
        preset=row.preset,
        approved=counts.approved,
        adjusted=counts.adjusted,
        rejected=dict(sorted(counts.rejected.items())),
        near=dict(sorted(counts.near.items())),
        tripped=dict(sorted(counts.tripped.items())),
        sells_only=row.tripped,
        sells_only_until=row.until,
        limits=tuple(
            LimitResult(
                limit=one.limit, value=one.value, threshold=one.threshold, used=round(one.used, 3)
            )
            for one in row.limits
        ),
    )


def _exits(row: RiskRow) -> ExitsResult:
    found = row.exits
    return ExitsResult(armed=found.armed, fired=found.fired, cancelled=found.cancelled)


def _open_order(one: OrderRow) -> OpenOrderResult:
    return OpenOrderResult(
        order_id=one.order_id,
        product_id=one.product_id,
        order_type=one.order_type,
        action=one.action,
        quantity=decimal(one.quantity) if one.quantity else None,
        filled=decimal(one.filled),
        level=None if one.level is None else price(one.level),
        distance_pct=one.distance_pct,
        due=one.due,
    )


def _judged(row: LeaderboardRow) -> Judged:
    interval = row.return_interval
    return Judged(
        rank_low=row.rank_low,
        rank_high=row.rank_high,
        return_low=interval.low if interval else None,
        return_high=interval.high if interval else None,
        p_best=row.p_best,
        entrant=row.agent,
    )


def _wallet(one: CurrencyRow) -> WalletStanding:
    return WalletStanding(
        currency=one.currency,
        equity=decimal(one.equity),
        return_pct=percent(one.equity - one.opening, one.opening),
        cash=decimal(one.cash),
        scraped=decimal(one.scraped),
        fees=decimal(one.fees),
        slippage=decimal(one.slippage),
        latency_cost=decimal(one.latency_cost),
        realised=decimal(one.realised),
        trades=one.fills,
        rejections=one.rejections,
    )


def dead_agents(frame: Frame) -> tuple[DeadAgentResult, ...]:
    """The dead agents of a frame, with their causes."""
    return tuple(_dead(row, row.dead) for row in frame.ranking if row.dead is not None)


def _dead(row: AgentRow, dead: DeadAgent) -> DeadAgentResult:
    return DeadAgentResult(
        agent=dead.agent,
        cause=dead.cause,
        turns=dead.turns,
        since=row.dead_since,
        code=dead.code,
        remedy=dead.remedy,
        strategy=row.strategy,
        kind=row.kind,
        model=row.model,
        node=row.node,
    )


def halts(rows: tuple[HaltRow, ...]) -> tuple[HaltResult, ...]:
    """The halts in force."""
    return tuple(
        HaltResult(
            scope=row.scope,
            since=row.since,
            reason=row.reason,
            by=row.by,
            obeyed=row.obeyed,
            unread=row.unread,
        )
        for row in rows
    )


def process_health(row: ProcessRow) -> ProcessHealth:
    """A process by its newest heartbeat."""
    return ProcessHealth(
        node=row.node,
        kind=row.kind,
        name=row.name,
        status=row.state,
        alive=row.alive,
        age_s=round(row.age_s, 1),
        lag=row.lag,
        dead_letters=row.dead_letters,
        stopped_by=row.stopped_by,
        process=row.process,
    )


def rules(summary: ArenaSummary) -> RulesResult | None:
    """The executor's rules; None before they were read."""
    if summary.fee_bps is None or summary.slippage_bps is None:
        return None
    return RulesResult(fee_bps=summary.fee_bps, slippage_bps=summary.slippage_bps)


def market(summary: ArenaSummary) -> Market:
    """What market the figures are of."""
    age_s = summary.feed_age_s
    return Market(
        words=market_text(summary),
        venue=summary.venue,
        snapshots=summary.snapshots,
        as_of=summary.as_of,
        simulated=summary.simulated,
        recorded=summary.recorded,
        lock_step=summary.lock_step,
        speed=summary.speed,
        interval_s=summary.interval_s,
        feed_age_s=None if age_s is None else round(age_s, 1),
        feed_down=summary.feed_down,
        market_warning=summary.market_warning,
        stale_products=summary.stale_products,
    )
