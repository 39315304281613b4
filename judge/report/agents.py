"""Every agent's part of the report: its figures, trades, refused orders and reasoning. Pure.

What a model said is foreign text: it is cut at a bound, its unprintable characters are shown, and
the page's template escapes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arena.currency import cash_digits
from arena.money import SCALE, PriceUnits, price_text, units_text
from arena.plural import counted
from judge.metrics_returns import total_return
from judge.report import words
from judge.report.tables import Cell, Head, Row, Table, plain
from judge.season import Decision, Entry, Fill, Rejection, Season

ROWS_MAX = 1_000
"""Trades of all agents together that the page shows; likewise turns, likewise refused orders."""
ROWS_MIN = 20
TEXT_MAX = 500
WHY_MAX = 240
NAME_MAX = 80

TRADE_HEADS = (
    Head("when, UTC", "w"), Head("order", "w"), Head("seen"), Head("filled"), Head("notional"),
    Head("fee"), Head("latency cost"), Head("realised"), Head("why, in its words", "w"),
)  # fmt: skip
REJECTION_HEADS = (
    Head("when, UTC", "w"),
    Head("order", "w"),
    Head("rule", "w"),
    Head("what was possible", "w"),
)
TURN_HEADS = (
    Head("when, UTC", "w"), Head("outcome", "w"), Head("orders"), Head("tokens"), Head("cost"),
    Head("took"), Head("its words", "w"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentPart:
    """One agent, as the page shows it.

    Attributes:
        figures: Label and text, in the order shown.
        trades_cut: Says how many were left out, "" where none was; likewise the others.
    """

    anchor: str
    name: str
    what: str
    tone: str
    result: str
    counts: str
    figures: tuple[tuple[str, str], ...]
    trades: Table
    trades_cut: str
    rejections: Table
    rejections_cut: str
    turns: Table
    turns_cut: str


def anchor(number: int) -> str:
    """The id of an entry's part of the page."""
    return f"agent-{number}"


def entry_words(entry: Entry) -> str:
    """What an entry is: "momentum × gpt-small, repeat 2"."""
    if entry.kind == "baseline":
        return "baseline, scripted"
    parts = [f"{entry.strategy} × {entry.node}"]
    if not entry.scripted and entry.model != entry.node:
        parts.append(entry.model or "its model never answered")
    if entry.seed is not None:
        parts.append(f"repeat {entry.seed}")
    if entry.scripted:
        parts.append("scripted, no LLM")
    return ", ".join(parts)


def agent_part(season: Season, number: int, figures: Sequence[tuple[str, str]]) -> AgentPart:
    """What the page says of one entry.

    Args:
        season: The season.
        number: Of the entry.
        figures: Label and text of each of its metrics.
    """
    entry = season.entries[number]
    fills, rejections = season.fills[number], season.rejections[number]
    decisions = season.decisions[number]
    limit = max(ROWS_MIN, ROWS_MAX // max(1, len(season.entries)))
    told = {decision.turn_id: decision.final_text for decision in decisions}
    gain = total_return(season.equity[:, number])
    shown, refused = fills[-limit:], rejections[-limit:]
    turns = _telling(decisions, limit)
    digits = cash_digits(season.assumptions.currency)
    return AgentPart(
        anchor=anchor(number),
        name=words.quote(entry.name, NAME_MAX),
        what=words.quote(entry_words(entry), 2 * NAME_MAX),
        tone="gain" if (gain or 0) > 0 else "loss" if (gain or 0) < 0 else "",
        result=words.change(gain),
        counts=f"{counted(len(fills), 'trade')}, {len(rejections):,} refused, "
        f"{counted(len(decisions), 'turn')}",
        figures=tuple(figures),
        trades=_table("trades", entry, TRADE_HEADS, [_trade(f, told, digits) for f in shown]),
        trades_cut=_cut(len(fills), len(shown), "trades", "all are in fills.csv"),
        rejections=_table("refused orders", entry, REJECTION_HEADS, [_refused(r) for r in refused]),
        rejections_cut=_cut(
            len(rejections), len(refused), "refused orders", "all are in the records"
        ),
        turns=_table("turns", entry, TURN_HEADS, [_turn(d) for d in turns]),
        turns_cut=_cut(
            len(decisions), len(turns), "turns that traded, failed or came last",
            "`arena tail agent.turns` and the records hold every word",
        ),
    )  # fmt: skip


def _telling(decisions: Sequence[Decision], limit: int) -> list[Decision]:
    """At most `limit` turns in their order: those that traded or failed first, then the newest."""
    if len(decisions) <= limit:
        return list(decisions)
    ranked = sorted(
        range(len(decisions)),
        key=lambda n: (not decisions[n].orders and decisions[n].outcome == "completed", -n),
    )
    return [decisions[n] for n in sorted(ranked[:limit])]


def _cut(total: int, shown: int, what: str, where: str) -> str:
    return "" if shown == total else f"{shown:,} of {total:,} shown: {what}; {where}."


def _table(what: str, entry: Entry, heads: tuple[Head, ...], rows: Sequence[Row]) -> Table:
    return Table(
        label=f"{what} of {words.quote(entry.name, NAME_MAX)}", heads=heads, rows=tuple(rows)
    )


def _trade(fill: Fill, told: dict[str, str], digits: int) -> Row:
    seen = fill.seen_ask if fill.side == "buy" else fill.seen_bid
    realised = None if fill.realised is None else fill.realised / SCALE
    return Row(
        (
            _when(fill.as_of),
            _order(fill.side, fill.quantity, fill.product_id),
            plain(words.UNKNOWN if seen is None else _price(seen)),
            plain(_price(fill.price)),
            plain(words.usd(fill.notional / SCALE, digits)),
            plain(words.usd(fill.fee / SCALE, digits)),
            plain(words.change_usd(fill.latency_cost / SCALE, digits)),
            plain(words.change_usd(realised, digits), realised, colored=True),
            Cell(words.quote(told.get(fill.turn_id, ""), WHY_MAX), css="long"),
        )
    )


def _refused(rejection: Rejection) -> Row:
    return Row(
        (
            _when(rejection.as_of),
            _order(rejection.side or "?", rejection.quantity, rejection.product_id),
            Cell(rejection.reason.value.replace("_", " "), css="w"),
            Cell(words.quote(rejection.detail, WHY_MAX), css="long"),
        )
    )


def _turn(decision: Decision) -> Row:
    said = words.quote(decision.final_text, TEXT_MAX)
    error = words.quote(decision.error, TEXT_MAX)
    cost = None if decision.cost_usd is None else float(decision.cost_usd)
    return Row(
        (
            _when(decision.as_of),
            Cell(decision.outcome.replace("_", " "), css="w"),
            plain(words.count(decision.orders)),
            plain(words.count(decision.prompt_tokens + decision.completion_tokens)),
            plain(words.llm_usd(cost)),
            plain(words.lasted(decision.total_ms / 1000)),
            Cell(said, under=error, css="long"),
        )
    )


def _when(time: datetime) -> Cell:
    return Cell(f"{time:%d %b %H:%M:%S}", css="w")


def _order(side: str, quantity: int | None, product: str) -> Cell:
    amount = words.UNKNOWN if quantity is None else _grouped(units_text(quantity))
    return Cell(f"{side} {amount} {words.quote(product, NAME_MAX)}", css="w")


def _grouped(text: str) -> str:
    whole, point, part = text.partition(".")
    return f"{int(whole):,}{point}{part}" if whole not in ("-0", "0") else text


def _price(price: PriceUnits) -> str:
    whole, _, part = price_text(price).partition(".")
    return f"{int(whole):,}.{part.ljust(2, '0')}"
