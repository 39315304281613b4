"""Each agent's section of the report: figures, trades, refused orders and reasoning. Pure.

The text of a model is untrusted: it is cut to a maximum length, its unprintable characters are made
visible, and the page's template escapes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arena.currency import cash_digits
from arena.messages import LeaderboardRow
from arena.metrics.returns import total_return
from arena.money import SCALE, PriceUnits, price_text, units_text
from arena.plural import counted
from judge.report import formats
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, plain
from judge.season import Entry, FilledOrder, RejectedOrder, Season, TurnSummary

ROWS_MAX = 1_000
"""Most trades on the page, over all agents; the same for turns and for refused orders."""
ROWS_MIN = 20
"""Least number of rows that each agent can show."""
TEXT_MAX = 500
"""Most characters of a turn's final text or error."""
WHY_MAX = 240
"""Most characters of a reason in a table of orders."""
NAME_MAX = 80
"""Most characters of a name."""

TRADE_HEADS = (
    TableHead("when, UTC", "w"),
    TableHead("order", "w"),
    TableHead("seen"),
    TableHead("filled"),
    TableHead("notional"),
    TableHead("fee"),
    TableHead("latency cost"),
    TableHead("realised"),
    TableHead("why, in its words", "w"),
)
REJECTION_HEADS = (
    TableHead("when, UTC", "w"),
    TableHead("order", "w"),
    TableHead("rule", "w"),
    TableHead("what was possible", "w"),
)
TURN_HEADS = (
    TableHead("when, UTC", "w"),
    TableHead("outcome", "w"),
    TableHead("orders"),
    TableHead("tokens"),
    TableHead("cost"),
    TableHead("took"),
    TableHead("its words", "w"),
)


@dataclass(frozen=True, slots=True)
class AgentSection:
    """One agent, as the page shows it.

    Attributes:
        figures: Label and text, in the order shown.
        trades_cut, rejections_cut, turns_cut: Note on how many rows were left out; "" if none.
    """

    anchor: str
    name: str
    what: str
    result: str
    counts: str
    figures: tuple[tuple[str, str], ...]
    trades: ReportTable
    trades_cut: str
    rejections: ReportTable
    rejections_cut: str
    turns: ReportTable
    turns_cut: str


def anchor(number: int) -> str:
    """Return the HTML id of an entry's section."""
    return f"agent-{number}"


def entrant_text(one: Entry | LeaderboardRow) -> str:
    """Return a description of an entry or entrant: "momentum × gpt-small, repeat 2"."""
    if one.kind == "baseline":
        return "baseline, scripted"
    parts = [f"{one.strategy} × {one.node}"]
    if not one.scripted and one.model != one.node:
        parts.append(one.model or "its model never answered")
    if one.seed is not None:
        parts.append(f"repeat {one.seed}")
    if one.scripted:
        parts.append("scripted, no LLM")
    return ", ".join(parts)


def agent_section(season: Season, number: int, figures: Sequence[tuple[str, str]]) -> AgentSection:
    """Return the section of one entry.

    Args:
        season: The season.
        number: Index of the entry.
        figures: Label and text of each of its metrics.
    """
    entry = season.entries[number]
    fills, rejections = season.fills[number], season.rejections[number]
    decisions = season.decisions[number]
    limit = max(ROWS_MIN, ROWS_MAX // max(1, len(season.entries)))
    final_texts = {decision.turn_id: decision.final_text for decision in decisions}
    gain = total_return(season.equity[:, number])
    shown, refused = fills[-limit:], rejections[-limit:]
    turns = _turns_shown(decisions, limit)
    return AgentSection(
        anchor=anchor(number),
        name=formats.quote(entry.name, NAME_MAX),
        what=formats.quote(entrant_text(entry), 2 * NAME_MAX),
        result=formats.change(gain),
        counts=f"{counted(len(fills), 'trade')}, {len(rejections):,} refused, "
        f"{counted(len(decisions), 'turn')}",
        figures=tuple(figures),
        trades=_table(
            "trades", entry, TRADE_HEADS, [_trade(season, f, final_texts) for f in shown]
        ),
        trades_cut=_cut_note(len(fills), len(shown), "trades", "all are in fills.csv"),
        rejections=_table("refused orders", entry, REJECTION_HEADS, [_refused(r) for r in refused]),
        rejections_cut=_cut_note(
            len(rejections), len(refused), "refused orders", "all are in the records"
        ),
        turns=_table("turns", entry, TURN_HEADS, [_turn(d) for d in turns]),
        turns_cut=_cut_note(
            len(decisions),
            len(turns),
            "turns that traded, failed or came last",
            "`arena tail agent.turns` and the records hold every word",
        ),
    )


def _turns_shown(decisions: Sequence[TurnSummary], limit: int) -> list[TurnSummary]:
    """Return at most `limit` turns, in order; turns that traded or failed are preferred."""
    if len(decisions) <= limit:
        return list(decisions)
    ranked = sorted(
        range(len(decisions)),
        key=lambda n: (not decisions[n].orders and decisions[n].outcome == "completed", -n),
    )
    return [decisions[n] for n in sorted(ranked[:limit])]


def _cut_note(total: int, shown: int, what: str, where: str) -> str:
    return "" if shown == total else f"{shown:,} of {total:,} shown: {what}; {where}."


def _table(
    what: str, entry: Entry, heads: tuple[TableHead, ...], rows: Sequence[TableRow]
) -> ReportTable:
    return ReportTable(
        label=f"{what} of {formats.quote(entry.name, NAME_MAX)}", heads=heads, rows=tuple(rows)
    )


def _trade(season: Season, fill: FilledOrder, final_texts: dict[str, str]) -> TableRow:
    currency = season.currency_of(fill.product_id)
    digits, unit = cash_digits(currency), f" {currency}" if season.parts else ""
    seen = fill.seen_ask if fill.side == "buy" else fill.seen_bid
    realised = None if fill.realised is None else fill.realised / SCALE
    return TableRow(
        (
            _when(fill.as_of),
            _order(fill.side, fill.quantity, fill.product_id),
            plain(formats.UNKNOWN if seen is None else _price(seen)),
            plain(_price(fill.price)),
            plain(f"{formats.money(fill.notional / SCALE, digits)}{unit}"),
            plain(formats.money(fill.fee / SCALE, digits)),
            plain(formats.gain(fill.latency_cost / SCALE, digits)),
            plain(formats.gain(realised, digits), realised),
            TableCell(_why(fill, final_texts), css="long"),
        )
    )


def _why(fill: FilledOrder, final_texts: dict[str, str]) -> str:
    """What the model said; of a fill that no call asked for, the order that filled."""
    if not fill.cause:
        return formats.quote(final_texts.get(fill.turn_id, ""), WHY_MAX)
    kind = "" if fill.order_type == "market" else f"{fill.order_type.replace('_', ' ')}, "
    return f"{kind}{fill.cause.replace('_', ' ')}"


def _refused(rejection: RejectedOrder) -> TableRow:
    return TableRow(
        (
            _when(rejection.as_of),
            _order(rejection.side or "?", rejection.quantity, rejection.product_id),
            TableCell(rejection.reason.value.replace("_", " "), css="w"),
            TableCell(formats.quote(rejection.detail, WHY_MAX), css="long"),
        )
    )


def _turn(decision: TurnSummary) -> TableRow:
    text = formats.quote(decision.final_text, TEXT_MAX)
    error = formats.quote(decision.error, TEXT_MAX)
    cost = None if decision.cost_usd is None else float(decision.cost_usd)
    return TableRow(
        (
            _when(decision.as_of),
            TableCell(decision.outcome.replace("_", " "), css="w"),
            plain(formats.count(decision.orders)),
            plain(formats.count(decision.prompt_tokens + decision.completion_tokens)),
            plain(formats.llm_usd(cost)),
            plain(formats.measured(decision.total_ms)),
            TableCell(text, under=error, css="long"),
        )
    )


def _when(time: datetime) -> TableCell:
    return TableCell(f"{time:%d %b %H:%M:%S}", css="w")


def _order(side: str, quantity: int | None, product: str) -> TableCell:
    amount = formats.UNKNOWN if quantity is None else _grouped(units_text(quantity))
    return TableCell(f"{side} {amount} {formats.quote(product, NAME_MAX)}", css="w")


def _grouped(text: str) -> str:
    whole, point, part = text.partition(".")
    return f"{int(whole):,}{point}{part}" if whole not in ("-0", "0") else text


def _price(price: PriceUnits) -> str:
    whole, _, part = price_text(price).partition(".")
    return f"{int(whole):,}.{part.ljust(2, '0')}"
