"""The standings as a document for programs. Pure.

`arena dashboard --once --json` prints the document; keys are only ever added to it. Money is text,
in the document's `currency` (only `cost_usd`, the cost of models, is in US dollars); percentages
are text too. If accounts hold several currencies, an agent's `currencies` has its amounts in each,
and its `return_pct` is of the wealth index; its other amounts are of the main account, counts and
positions are of all.
"""

from datetime import datetime

from pydantic import JsonValue

from arena.agent_health import DeadAgent
from arena.messages import Evaluation, LeaderboardRow
from arena.money import decimal_text, from_units, to_digits, units_text
from dashboard.model.frame import build_frame
from dashboard.model.halts import halted_document
from dashboard.model.processes import ProcessRow
from dashboard.model.rows import AgentRow, ArenaSummary
from dashboard.model.view import ArenaView
from dashboard.model.wealth import CurrencyRow

PERCENT_DIGITS = 4


def standings(view: ArenaView, now: datetime, *, broker: str = "") -> dict[str, JsonValue]:
    """The standings document.

    Args:
        view: The view.
        now: Wall time, for the state of processes.
        broker: Bootstrap servers, for the reader.

    Returns:
        broker, snapshots, as_of, simulated, speed, currency, wallets (further currencies, if
        accounts hold any), rules, agents (in rank order, the dead
        last and without a rank), other_accounts (such as an operator's), dead (with their cause),
        digest (of all accounts), verdict (of the judge, null without one), halted, processes, and
        counts of errors and unreadable records.
    """
    frame = build_frame(view, now)
    summary = frame.summary
    return {
        "broker": broker,
        "snapshots": summary.snapshots,
        "as_of": summary.as_of.isoformat() if summary.as_of else None,
        "simulated": summary.simulated,
        "speed": summary.speed,
        "currency": summary.currency,
        **({"wallets": list(summary.wallets)} if summary.wallets else {}),
        "rules": _rules(summary),
        "agents": [_agent(row) for row in frame.ranking],
        "other_accounts": [_agent(row) for row in frame.other_accounts],
        "dead": [_dead(row, row.dead) for row in frame.ranking if row.dead is not None],
        "verdict": verdict_document(frame.evaluation),
        "halted": halted_document(frame.halts),
        "digest": view.accounts.digest(),
        "partial": summary.partial,
        "llm_errors": summary.llm_errors,
        "dead_letters": summary.dead_letters,
        "malformed": summary.malformed,
        "broken_log": summary.broken_log,
        "processes": [_process(row) for row in frame.processes],
    }


def _rules(summary: ArenaSummary) -> JsonValue:
    if summary.fee_bps is None or summary.slippage_bps is None:
        return None
    return {
        "fee_bps": decimal_text(summary.fee_bps),
        "slippage_bps": decimal_text(summary.slippage_bps),
    }


def _dead(row: AgentRow, dead: DeadAgent) -> JsonValue:
    described = {"strategy": row.strategy, "kind": row.kind, "model": row.model, "node": row.node}
    return {**dead.document(), **described}


def _agent(row: AgentRow) -> JsonValue:
    return {
        "rank": row.rank or None,
        "agent": row.agent,
        "alive": row.dead is None,
        "apart": row.not_comparable or None,
        "strategy": row.strategy,
        "kind": row.kind,
        "model": row.model,
        "scripted": row.scripted,
        "equity_usd": _usd(row.equity),
        "return_pct": _return_pct(row),
        "cash_usd": _usd(row.cash),
        "scraped_usd": _usd(row.scraped),
        "positions": {product_id: units_text(quantity) for product_id, quantity in row.held},
        "fees_usd": _usd(row.fees),
        "slippage_usd": _usd(row.slippage),
        "latency_cost_usd": _usd(row.latency_cost),
        "realised_usd": _usd(row.realised),
        "trades": row.fills,
        "rejections": row.rejections,
        "turns": row.turns,
        "turns_aborted": row.turns_aborted,
        "skipped_snapshots": row.skipped,
        "tokens": row.tokens,
        "tokens_estimated": row.estimated,
        "cost_usd": None if row.cost_usd is None else decimal_text(row.cost_usd),
        "calls_of_unknown_price": row.unpriced,
        "judged": judged_document(row.judged),
        **({"currencies": [_amounts(one) for one in row.currencies]} if row.currencies else {}),
    }


def _amounts(one: CurrencyRow) -> JsonValue:
    """An agent's account in one of several currencies; all amounts are in it."""
    return {
        "currency": one.currency,
        "equity": _usd(one.equity),
        "return_pct": _percent(one.equity - one.opening, one.opening),
        "cash": _usd(one.cash),
        "scraped": _usd(one.scraped),
        "fees": _usd(one.fees),
        "slippage": _usd(one.slippage),
        "latency_cost": _usd(one.latency_cost),
        "realised": _usd(one.realised),
        "trades": one.fills,
        "rejections": one.rejections,
    }


def _usd(units: int | None) -> str | None:
    return None if units is None else units_text(units)


def _return_pct(row: AgentRow) -> str | None:
    return None if row.gain is None else _percent(row.gain, row.whole)


def _percent(gain: int, whole: int) -> str | None:
    if not whole:
        return None
    ratio = from_units(gain) / from_units(whole) * 100
    return decimal_text(to_digits(ratio, PERCENT_DIGITS))


def _process(row: ProcessRow) -> JsonValue:
    return {
        "node": row.node,
        "kind": row.kind,
        "name": row.name,
        "status": row.state,
        "alive": row.alive,
        "age_s": round(row.age_s, 1),
        "lag": row.lag,
    }


def verdict_document(evaluation: Evaluation | None) -> JsonValue:
    """The evaluation in the standings document; None without one."""
    if evaluation is None:
        return None
    return {
        "snapshots": evaluation.snapshots,
        "words": evaluation.verdict,
        "confidence": evaluation.confidence,
        "detectable": evaluation.detectable,
        "hold_return": evaluation.hold_return,
        "interim": evaluation.interim,
        "look": evaluation.look,
        "looks": evaluation.looks,
        "claims": [claim.model_dump(mode="json") for claim in evaluation.claims],
        "detectables": [pair.model_dump(mode="json") for pair in evaluation.detectables],
        "warnings": list(evaluation.warnings),
    }


def judged_document(row: LeaderboardRow | None) -> JsonValue:
    """An agent's row of the evaluation; None without one."""
    if row is None:
        return None
    interval = row.return_interval
    return {
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "return_low": interval.low if interval else None,
        "return_high": interval.high if interval else None,
        "p_best": row.p_best,
        "entrant": row.agent,
    }
