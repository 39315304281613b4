"""The standings as a document for programs and as a table for people. Pure.

`arena dashboard --once --json` prints the document; keys are only ever added to it. Money is text,
in the document's `currency` (only `cost_usd`, the cost of models, is in US dollars); percentages
are text too. If accounts hold several currencies, an agent's `currencies` has its amounts in each,
and its `return_pct` is of the wealth index; its other amounts are of the main account, counts and
positions are of all.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from arena.agent_health import DeadAgent
from arena.money import decimal_text, from_units, to_digits, units_text
from arena.plural import counted
from dashboard import text
from dashboard.feed_text import feed_text
from dashboard.frame import Frame, build_frame
from dashboard.halts import halted_document
from dashboard.processes import ProcessRow
from dashboard.rows import AgentRow, ArenaSummary
from dashboard.verdict import judged_document, verdict_document
from dashboard.view import ArenaView
from dashboard.wealth import CurrencyRow

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


def render_standings(frame: Frame) -> str:
    """The standings as plain lines, figures aligned to the right."""
    units = (frame.summary.currency, *frame.summary.wallets) if frame.summary.wallets else ()
    equities = tuple(f"equity {unit}" for unit in units) or ("equity",)
    fees = tuple(f"fees {unit}" for unit in units) or ("fees",)
    header = ("#", "agent", "strategy", "model", *equities, "return", *fees, "trades", "rejected")
    rows = [header, *(_cells(row, units) for row in frame.ranking if row.ranked)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(header))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if 1 <= index <= 3 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join((*lines, *not_comparable_lines(frame), *dead_lines(frame)))


def not_comparable_lines(frame: Frame) -> list[str]:
    """The agents that cannot be compared, with the cause, as plain lines."""
    found = [row for row in frame.ranking if row.not_comparable and row.dead is None]
    lines = [f"  {row.agent}: {text.one_line(row.not_comparable)}" for row in found]
    return ["not comparable, not ranked:", *lines] if lines else []


def dead_lines(frame: Frame) -> list[str]:
    """The dead agents, with the cause, as plain lines."""
    found = [(row.agent, row.dead) for row in frame.ranking if row.dead is not None]
    lines = [f"  {agent}: {text.one_line(dead.cause)}; {dead.remedy}" for agent, dead in found]
    return ["dead, not ranked:", *lines] if lines else []


def _cells(row: AgentRow, units: Sequence[str]) -> tuple[str, ...]:
    """A line of the table; with several currencies, equity and fees in each of them."""
    own = {one.currency: one for one in row.currencies}
    held = [own.get(unit) for unit in units]
    equities = [text.money(one.equity, one.digits) if one else text.NO_VALUE for one in held]
    fees = [text.money(one.fees, one.digits) if one else text.NO_VALUE for one in held]
    if not row.currencies:
        rest = [text.NO_VALUE] * (len(units) - 1)
        equities = [text.money(row.equity, row.digits), *rest]
        fees = [text.money(row.fees, row.digits), *rest]
    return (
        str(row.rank),
        row.agent,
        row.strategy,
        model_text(row),
        *equities,
        text.signed_percent(row.gain, row.whole),
        *fees,
        text.count(row.fills),
        text.count(row.rejections),
    )


def model_text(row: AgentRow) -> str:
    """The model's name; scripted rules are always marked as scripted."""
    if row.scripted is None:
        return f"({row.node})" if row.node else text.NO_VALUE
    name = text.one_line(row.model, 40)
    if row.scripted and "scripted" not in name:
        return f"{name} (scripted)".strip()
    return name or text.NO_VALUE


def market_text(summary: ArenaSummary) -> str:
    """Kind and speed of the market: "simulated, 60x", "recorded, lock-step", "live coinbase"."""
    if not summary.snapshots:
        return "no market yet"
    if not summary.simulated:
        return f"live {text.one_line(summary.venue, 20)}".strip()
    kind = "recorded" if summary.recorded else "simulated"
    if summary.lock_step:
        return f"{kind}, lock-step"
    speed = f"{summary.speed:g}x" if summary.speed != 1 else "real time"
    return f"{kind}, {speed}"


def spending_text(summary: ArenaSummary) -> str:
    """The cost of the models, with the calls of unknown price."""
    if summary.cost_usd is None:
        return f"{counted(summary.unpriced, 'call')} of unknown price"
    words = text.cost(summary.cost_usd)
    if summary.unpriced:
        words += f" + {counted(summary.unpriced, 'call')} of unknown price"
    return words


def progress_line(frame: Frame, ended: str = "", silent_s: float | None = None) -> str:
    """One line for a log: time, market, leader, trades and errors.

    Args:
        frame: The data to show.
        ended: "ended 22:39" if the run that is shown has ended.
        silent_s: Seconds since which the broker does not answer, or None.
    """
    summary, ranking = frame.summary, frame.ranking
    parts = [
        f"{frame.now:%H:%M:%S}",
        f"snapshot {summary.snapshots} ({market_text(summary)})",
        feed_text(summary, frame.now, ended)[0],
    ]
    if silent_s is not None:
        parts.append(f"broker SILENT {text.age(silent_s)}")
    if ranking and ranking[0].equity is not None and ranking[0].ranked:
        leader = ranking[0]
        change = text.signed_percent(leader.gain, leader.whole)
        worth = "" if leader.currencies else f"{text.money(leader.equity, leader.digits)} "
        parts.append(f"#1 {leader.agent} {worth}{change}")
    if dead := [row.agent for row in ranking if row.dead is not None]:
        parts.append(f"{len(dead)} DEAD: {', '.join(text.one_line(name, 40) for name in dead)}")
    fills = sum(row.fills for row in ranking)
    refused = sum(row.rejections for row in ranking)
    parts.append(f"{counted(fills, 'trade')}, {text.count(refused)} rejected")
    parts.append(f"{counted(summary.llm_errors, 'LLM error')}, {spending_text(summary)}")
    if summary.feed_down and not ended:
        parts.append(text.one_line(summary.feed_down))
    if frame.halts:
        parts.append("HALTED: " + ", ".join(text.one_line(row.scope, 40) for row in frame.halts))
    if summary.broken_log:
        parts.append(f"BROKEN LOG: {summary.broken_log}")
    return "  ".join(parts)
