"""A frame: everything that one screen may show, taken from the view at one moment. Pure.

A frame shares no mutable data with the view, so another thread may draw it while records are
folded.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from arena.account_state import Account
from arena.agent_health import DeadAgent
from arena.currency import cash_digits
from arena.gate_settings import OFF, gates_text
from arena.messages import Evaluation, LeaderboardRow, Turn
from arena.money import PriceUnits, notional_units, unit_cost
from arena.process_commands import RunningSupervisor, running_supervisors
from dashboard.model.coaching_results import coaching_of, prompt_marks
from dashboard.model.context_notes import context_notes
from dashboard.model.equity_curves import thin, value_before
from dashboard.model.halts import HaltRow
from dashboard.model.indicator_values import all_indicator_values
from dashboard.model.processes import ProcessRow
from dashboard.model.recent_turns import AgentTurns
from dashboard.model.results import AgentCoaching, ContextNote, IndicatorValues
from dashboard.model.risk_rows import risk_row
from dashboard.model.rows import AgentRow, ArenaSummary, PositionRow, Series, Thought, TradeRow
from dashboard.model.shadows import playing_shadows, shadow_spending
from dashboard.model.trade_rows import trade_row
from dashboard.model.view import ArenaView
from dashboard.model.wealth import currency_rows, index_of
from dashboard.text import one_line

RECENT_VENUE_S = 300
"""The span of the "P&L 5m" column, in venue time."""
TRADES_MAX = 400
"""Most orders that can be scrolled to."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The data of one screen.

    Attributes:
        now: Wall time in the user's zone.
        summary: Market, costs and health of the arena.
        ranking: Agents by equity, those without a rank last.
        positions: Positions of all agents, in the order of the ranking.
        trades: The newest orders, as many as were requested, newest first.
        trades_available: Number of orders that can be requested.
        series: Equity curves of the ranked agents.
        thoughts: Newest words of each agent, the newest turn first.
        processes: Processes by kind and name.
        turns: The newest whole turns of the selected agent, oldest first.
        evaluation: The judge's newest evaluation, or None.
        halts: Halts in force.
        other_accounts: Accounts that are not a contestant's, such as an operator's.
        shadows: Shadow agents of the trials that run, without a rank.
        supervisors: Supervisors that run, with their reports.
        indicators: The indicators of each product in the newest snapshot, if they were requested.
        coaching: What a coach sees of the selected agent.
    """

    now: datetime
    summary: ArenaSummary
    ranking: tuple[AgentRow, ...]
    positions: tuple[PositionRow, ...]
    trades: tuple[TradeRow, ...]
    trades_available: int
    series: tuple[Series, ...]
    thoughts: tuple[Thought, ...]
    processes: tuple[ProcessRow, ...]
    turns: tuple[Turn, ...] = ()
    evaluation: Evaluation | None = None
    halts: tuple[HaltRow, ...] = ()
    other_accounts: tuple[AgentRow, ...] = ()
    supervisors: tuple[RunningSupervisor, ...] = ()
    context: tuple[ContextNote, ...] = ()
    indicators: tuple[IndicatorValues, ...] = ()
    coaching: AgentCoaching | None = None
    shadows: tuple[AgentRow, ...] = ()

    def row(self, agent: str) -> AgentRow | None:
        """The ranking row of an agent."""
        return next((row for row in self.ranking if row.agent == agent), None)


def build_frame(
    view: ArenaView,
    now: datetime,
    *,
    agent: str = "",
    trades: int = 60,
    points: int = 200,
    market: bool = False,
) -> Frame:
    """Build the frame of a view at a wall time.

    Args:
        view: The view.
        now: Wall time, in the zone in which times are shown.
        agent: The agent whose turns are shown; "" for none.
        trades: Number of the newest orders to include.
        points: Approximate number of points of a curve.
        market: Include the indicators of all products.
    """
    accounts = view.accounts.by_agent
    # An account that an operator opened is not a contestant, nor is a shadow agent.
    names = view.agents
    colours = {name: index for index, name in enumerate(names)}
    ranking = _ranking(view, accounts, colours)
    turns = view.turns.agents.get(agent)
    orders = view.accounts.newest_orders(min(trades, TRADES_MAX), view.is_shadow)
    return Frame(
        now=now,
        summary=_summary(view, now),
        ranking=ranking,
        positions=_positions(view, accounts, ranking),
        trades=tuple(
            trade_row(e, colours.get(e["agent"], 0), view.currency, several=bool(view.wallets))
            for e in orders
        ),
        trades_available=min(TRADES_MAX, view.accounts.orders_available(view.is_shadow)),
        series=_series(view, ranking, points),
        thoughts=_thoughts(view, ranking, now),
        processes=tuple(view.processes.rows(now)),
        turns=tuple(turns.newest_turns.values()) if turns else (),
        evaluation=view.evaluation,
        halts=view.halts.rows(view.processes.living("tools", now)),
        other_accounts=tuple(
            _agent_row(view, name, account, view.market.bids, 0)
            for name, account in sorted(accounts.items())
            if name not in colours and not view.is_shadow(name)
        ),
        shadows=tuple(
            _agent_row(view, name, accounts.get(name), view.market.bids, 0)
            for name in playing_shadows(view)
        ),
        supervisors=tuple(running_supervisors(view.processes.newest.values(), now)),
        context=context_notes(view).items,
        indicators=all_indicator_values(view) if market else (),
        coaching=coaching_of(view, agent) if agent else None,
    )


def _ranking(
    view: ArenaView, accounts: dict[str, Account], colours: dict[str, int]
) -> tuple[AgentRow, ...]:
    bids = view.market.bids
    rows = [_agent_row(view, name, accounts.get(name), bids, colours[name]) for name in colours]
    several = any(row.currencies for row in rows)
    rows.sort(key=lambda row: (row.equity is None, -_worth(row, several=several), row.agent))
    ranked = [row for row in rows if row.ranked]
    others = sorted((row for row in rows if not row.ranked), key=lambda row: row.dead is not None)
    return (*(replace(row, rank=index) for index, row in enumerate(ranked, 1)), *others)


def _worth(row: AgentRow, *, several: bool) -> Fraction:
    """What agents are ranked by: equity, or growth if accounts hold several currencies."""
    return Fraction(row.gain or 0, row.whole or 1) if several else Fraction(row.equity or 0)


def _dead(view: ArenaView, name: str) -> DeadAgent | None:
    """Why an agent is not ranked, by the judge's rules; None if it is alive."""
    turns = view.turns.agents.get(name)
    if turns is None:
        return None
    health = turns.health(name)
    return health.dead() if health.is_dead or health.never_decided else None


def _not_comparable(view: ArenaView, name: str) -> str:
    """Why the judge cannot compare an agent; "" if it can, or if there is no judge."""
    entries = view.evaluation.apart if view.evaluation else ()
    return next((one.cause for one in entries if one.agent == name), "")


def _agent_row(
    view: ArenaView, name: str, account: Account | None, bids: dict[str, PriceUnits], colour: int
) -> AgentRow:
    spec = view.roster.get(name) or view.shadow_specs.get(name)
    turns = view.turns.agents.get(name)
    spent = view.calls.agents.get(name)
    newest = turns.newest if turns else None
    equity = account.equity(bids) if account else None
    wallets = view.accounts.wallets(name)
    currencies = currency_rows(view.currency, account, wallets, bids) if account else ()
    accounts = [account, *wallets.values()] if account else []
    index = index_of((one.equity, one.opening) for one in currencies) if currencies else None
    model, scripted = (
        (newest.model, newest.scripted)
        if newest is not None and newest.model
        else (spent.model, spent.scripted)
        if spent
        else ("", None)
    )
    return AgentRow(
        rank=0,
        agent=name,
        colour=colour,
        strategy=spec.strategy if spec else newest.strategy if newest else "",
        kind=spec.strategy_kind if spec else "agent",
        node=spec.node if spec else newest.node if newest else "",
        model=model,
        scripted=scripted,
        opening=account.opening if account else None,
        equity=equity,
        recent_pnl=_recent_pnl(view, name, equity if index is None else index),
        max_drawdown=view.accounts.max_drawdown(name, view.snapshots)
        if name in view.accounts.curves
        else None,
        cash=account.cash if account else None,
        fees=account.fees if account else 0,
        slippage=account.slippage if account else 0,
        latency_cost=account.latency_cost if account else 0,
        realised=account.realised if account else 0,
        fills=sum(one.fills for one in accounts),
        rejections=sum(one.rejections for one in accounts),
        turns=turns.count if turns else 0,
        turns_aborted=turns.aborted if turns else 0,
        skipped=turns.skipped if turns else 0,
        gates=(turns or AgentTurns()).gates(gates_text(spec.gates, spec.cadence) if spec else OFF),
        tokens=spent.tokens if spent else 0,
        cost_usd=spent.known_cost if spent else Decimal(0),
        unpriced=spent.unpriced if spent else 0,
        scraped=account.scraped if account else 0,
        held=_held(accounts, bids),
        judged=_judged(view, name),
        dead=(dead := _dead(view, name)),
        dead_since=turns.failing_since() if turns and dead else None,
        estimated=bool(spent and spent.estimated),
        not_comparable=_not_comparable(view, name),
        digits=cash_digits(view.currency),
        currencies=currencies,
        risk=risk_row(view.accounts, name, account, bids, view.market.venue_now),
        shadow_of=spec.shadow_of if spec else "",
    )


def _held(accounts: list[Account], bids: dict[str, PriceUnits]) -> tuple[tuple[str, int], ...]:
    """Quantities of all products of the market and of all positions; () without an account."""
    held = dict.fromkeys(bids, 0) if accounts else {}
    held |= {p: at.quantity for account in accounts for p, at in account.positions.items()}
    return tuple(sorted(held.items()))


def _judged(view: ArenaView, name: str) -> LeaderboardRow | None:
    """The judge's row of an agent: its own, or that of the cell it is a repeat of."""
    rows = view.evaluation.rows if view.evaluation else ()
    found = (row for row in rows if name in (row.agent, *(one.agent for one in row.repeats)))
    return next(found, None)


def _recent_pnl(view: ArenaView, name: str, equity: int | None) -> int | None:
    venue_now = view.market.venue_now
    if equity is None or venue_now is None or name not in view.accounts.curves:
        return None
    since = venue_now - timedelta(seconds=RECENT_VENUE_S)
    values = view.accounts.values(name, view.snapshots)
    before = value_before(values, int(since.timestamp() * 1000))
    return None if before is None else equity - before


def _positions(
    view: ArenaView, accounts: dict[str, Account], ranking: tuple[AgentRow, ...]
) -> tuple[PositionRow, ...]:
    bids, venue_now = view.market.bids, view.market.venue_now
    closed = view.market.restricted
    rows: list[PositionRow] = []
    for agent in ranking:
        account = accounts.get(agent.agent)
        found = [(p, view.currency, at) for p, at in account.positions.items()] if account else []
        for unit, wallet in view.accounts.wallets(agent.agent).items():
            found += [(product_id, unit, held) for product_id, held in wallet.positions.items()]
        for product_id, unit, held in sorted(found, key=lambda one: one[0]):
            bid = bids.get(product_id)
            value = None if bid is None else notional_units(held.quantity, bid)
            rows.append(
                PositionRow(
                    agent=agent.agent,
                    colour=agent.colour,
                    product_id=product_id,
                    quantity=held.quantity,
                    average_cost=unit_cost(held.cost, held.quantity),
                    bid=bid,
                    unrealised=None if value is None else value - held.cost,
                    held_s=venue_now.timestamp() - held.entry_ms / 1000 if venue_now else None,
                    digits=cash_digits(unit),
                    closed=closed.get(product_id, ""),
                    unit=unit if agent.currencies else "",
                )
            )
    return tuple(rows)


def _series(view: ArenaView, ranking: tuple[AgentRow, ...], points: int) -> tuple[Series, ...]:
    found: list[Series] = []
    first = view.snapshots.points[0].offset if view.snapshots.points else 0
    for row in ranking:
        if row.agent not in view.accounts.curves or row.opening is None or not row.ranked:
            continue
        values = thin(view.accounts.values(row.agent, view.snapshots), first, points)
        marks = tuple(int(one.at.timestamp() * 1000) for one in prompt_marks(view, row.agent))
        found.append(Series(row.agent, row.colour, row.rank, row.whole, tuple(values), marks))
    return tuple(found)


def _thoughts(view: ArenaView, ranking: tuple[AgentRow, ...], now: datetime) -> tuple[Thought, ...]:
    rows: list[Thought] = []
    for row in ranking:
        turns = view.turns.agents.get(row.agent)
        if turns is None:
            continue
        since = turns.deciding_since()
        deciding_s = None if since is None else max(0.0, (now - since).total_seconds())
        newest = turns.newest
        usage = newest.usage if newest else None
        rows.append(
            Thought(
                agent=row.agent,
                colour=row.colour,
                words=words_of(newest) if newest else "",
                outcome=newest.outcome if newest else "",
                tokens=usage.prompt_tokens + usage.completion_tokens if usage else 0,
                ended_at=newest.ended_at if newest and newest.total_ms else None,
                deciding_s=deciding_s,
                dead=row.dead is not None,
                estimated=usage.estimated if usage else False,
            )
        )
    rows.sort(key=lambda one: (-one.ended_at.timestamp() if one.ended_at else 0, one.agent))
    return tuple(rows)


def words_of(turn: Turn) -> str:
    """The final text of a turn, else the last text the model wrote in it, else the error."""
    spoken = (m.content for m in reversed(turn.messages) if m.role == "assistant")
    words = one_line(turn.final_text) or next((w for s in spoken if (w := one_line(s))), "")
    if turn.outcome == "completed":
        return words
    error = one_line(turn.error)
    return f"{error} · {words}" if error and words else error or words


def _summary(view: ArenaView, now: datetime) -> ArenaSummary:
    newest, rules, total = view.market.newest, view.rules, view.calls.total
    feed, shadows = view.processes.feed(), shadow_spending(view)
    return ArenaSummary(
        snapshots=view.market.newest_offset + 1,
        as_of=newest.as_of if newest else None,
        venue_now=view.market.venue_now,
        simulated=newest.simulated if newest else False,
        recorded=newest.recorded if newest else False,
        lock_step=rules is not None and rules.pacing == "lock-step",
        speed=newest.speed if newest else 1.0,
        interval_s=newest.interval_s if newest else 0.0,
        venue=newest.venue if newest else "",
        feed_age_s=view.market.feed_age_s(now),
        stale_products=tuple(v.product_id for v in newest.products if v.stale) if newest else (),
        fee_bps=rules.fee_bps if rules else None,
        slippage_bps=rules.slippage_bps if rules else None,
        llm_calls=total.calls,
        llm_errors=total.errors,
        tokens=total.tokens,
        cost_usd=total.known_cost,
        unpriced=total.unpriced,
        partial=not (view.turns.window.complete and view.calls.window.complete),
        dead_letters=view.dead_letters,
        malformed=view.malformed,
        malformed_newest=view.malformed_newest,
        broken_log=view.accounts.broken,
        feed_down=feed.down,
        market_warning=feed.warning,
        feed_ended_at=feed.ended_at,
        currency=view.currency,
        wallets=view.wallets,
        shadow_calls=shadows.calls,
        shadow_cost_usd=shadows.known_cost,
    )
