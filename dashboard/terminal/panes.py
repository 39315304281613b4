"""The panes of the main screen: each renders a part of the frame as lines. Pure.

An empty pane shows the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from arena.currency import DEFAULT_CURRENCY
from arena.plural import counted, noun
from arena.products import split_key
from dashboard import text
from dashboard.labels import model_text
from dashboard.model.frame import Frame
from dashboard.model.rows import AgentRow, PositionRow, Thought, TradeRow
from dashboard.terminal.grid import FULL_CELLS, Column, table, wrap
from dashboard.terminal.palette import (
    ALARM,
    FOCUS,
    LOSS,
    QUIET,
    SELECTED_MARK,
    WARNING,
    agent_style,
    change_style,
    line_mark,
)
from dashboard.terminal.plot import plot_returns
from dashboard.terminal.verdict import interval_cell, judged_columns, ranks_cell

NAME_CELLS_MIN = 8
VENUES_FROM = 56
"""Cells of a pane from which on products are shown with their venue."""
TITLES_FROM = 8
"""Lines from which on the trades pane has a line of titles."""

RANKING = (
    Column(" #", cells_min=2),
    Column("agent", cells_min=10, shrink=True, grow=True),
    Column(""),
    Column("model", optional=5),
    Column("equity", "right", cells_min=10),
    Column("return", "right", cells_min=7),
    Column("P&L 5m", "right", cells_min=8),
    Column("cash", "right", cells_min=4),
    Column("trades", "right"),
    Column("rej", "right", optional=3),
    Column("fees", "right", optional=1, cells_min=6),
    Column("lat. cost", "right", optional=2),
    Column("tokens", "right", optional=4),
    Column("turns", "right", optional=6),
    Column("cost", "right", optional=7),
    Column("realised", "right", optional=8),
    Column("slippage", "right", optional=9),
    Column("strategy", optional=10),
)
INDEXED_RANKING = tuple(
    replace(one, title="index", cells_min=6) if one.title == "equity" else one
    for one in RANKING
    if one.title not in ("fees", "lat. cost", "realised", "slippage")
)
"""With several currencies: the wealth index, and no amounts; an agent's screen has them."""
JUDGED_AT = 6
"""Index of the judge's columns, after the return."""
POSITIONS = (
    Column("agent", cells_min=7, shrink=True, grow=True),
    Column("product"),
    Column("quantity", "right", cells_min=6),
    Column("avg cost", "right", optional=3),
    Column("bid", "right", optional=4),
    Column("P&L", "right", cells_min=8),
    Column("held", "right", optional=1, cells_min=4),
)
FILLS = (
    Column("time"),
    Column("agent", cells_min=6, shrink=True, grow=True),
    Column("action"),
    Column("quantity", "right", cells_min=6),
    Column("product"),
    Column("seen", "right", cells_min=9),
    Column(""),
    Column("filled", "right", cells_min=9),
    Column("bps", "right", cells_min=5),
    Column("ms", "right", cells_min=4),
    Column("notional", "right", optional=1, cells_min=10),
    Column("fee", "right", optional=2, cells_min=7),
    Column("market time (UTC)", optional=3),
)


def narrow(columns: tuple[Column, ...], needed: Mapping[str, int]) -> tuple[Column, ...]:
    """Columns for a small terminal: the named ones become optional, in this order.

    Args:
        columns: Columns of the whole table.
        needed: Title -> order among the optional columns; the other optional ones come later.
    """
    last = max(needed.values())
    return tuple(
        replace(one, optional=needed.get(one.title, one.optional + last * bool(one.optional)))
        for one in columns
    )


RANKING_NEEDED = {"P&L 5m": 1, "trades": 2, "cash": 3}
NARROW_RANKING = narrow(RANKING, RANKING_NEEDED)
NARROW_FILLS = narrow(FILLS, {"time": 1, "bps": 2, "seen": 3, "": 4, "ms": 5})
"""On a small terminal a trade shows agent, action, quantity, product and price."""


def ranking(frame: Frame, width: int, height: int, chosen: str, *, wide: bool = True) -> list[Text]:
    """Agents by equity, or by growth; scrolled so that the selected one is visible."""
    columns = RANKING if wide else NARROW_RANKING
    if not frame.ranking:
        return wrap("no agent yet: routers add theirs to the roster when they start", width)
    rooms = max(1, height - 1)
    index = next((i for i, row in enumerate(frame.ranking) if row.agent == chosen), 0)
    first = max(0, min(index - rooms + 1, len(frame.ranking) - rooms))
    rows = frame.ranking[first : first + rooms]
    several = any(row.currencies for row in frame.ranking)
    if several:
        columns = INDEXED_RANKING
        columns = columns if wide else narrow(columns, RANKING_NEEDED)
    mixed = len({row.scripted for row in frame.ranking if row.scripted is not None}) > 1
    cells = [_agent_cells(row, chosen, mixed, several=several) for row in rows]
    if frame.evaluation is not None:
        for row, line in zip(rows, cells, strict=True):
            line[JUDGED_AT:JUDGED_AT] = [ranks_cell(row.judged), interval_cell(row.judged)]
        columns = judged_columns(columns, JUDGED_AT, frame.evaluation.confidence)
    cells = [
        line if row.ranked else [*line[:3], *(Text("") for _ in line[3:])]
        for row, line in zip(rows, cells, strict=True)
    ]
    head, *lines = table(columns, cells, width)
    return [head, *(_with_dead(row, line, width) for row, line in zip(rows, lines, strict=True))]


def _with_dead(row: AgentRow, line: Text, width: int) -> Text:
    """For an agent without a rank, replace the figures by the reason."""
    if row.dead is None:
        words = f"not comparable: {text.one_line(row.not_comparable)}"
        return _with_words(line, words, WARNING, width) if row.not_comparable else line
    return _with_words(line, f"dead: {text.one_line(row.dead.cause)}", ALARM, width)


def _agent_cells(row: AgentRow, chosen: str, mixed: bool, *, several: bool) -> list[Text]:
    """The cells of `RANKING`, or of `INDEXED_RANKING` if accounts hold several currencies."""
    here = row.agent == chosen
    tags = ("b" if row.kind == "baseline" else "") + ("s" if row.scripted and mixed else "")
    rank = ("-", QUIET) if not row.ranked else (str(row.rank), agent_style(row.colour))
    gain, whole = row.gain, row.whole
    recent = text.signed_money(row.recent_pnl, row.digits)
    if row.currencies:
        recent = text.signed_percent(row.recent_pnl, whole)
    unpriced = row.cost_usd is None or row.unpriced
    worth = text.money(row.equity, row.digits)
    cost = "unknown" if row.cost_usd is None else text.cost(row.cost_usd) + ("+?" * bool(unpriced))
    cells = [
        Text.assemble((SELECTED_MARK if here else " ", FOCUS), rank),
        Text(row.agent, style="bold" if here else ""),
        Text.assemble((tags, QUIET), (line_mark(row.colour).strip(), agent_style(row.colour))),
        Text(model_text(row)),
        Text(text.index(gain, whole) if several else worth, style="bold"),
        Text(text.signed_percent(gain, whole), style=change_style(gain)),
        Text(recent, style=change_style(row.recent_pnl)),
        Text(text.percent(*row.cash_part)),
        Text(text.count(row.fills)),
        Text(text.count(row.rejections), style=WARNING if row.rejections else ""),
        Text(text.money(row.fees, row.digits)),
        Text(
            text.signed_money(-row.latency_cost, row.digits), style=change_style(-row.latency_cost)
        ),
        Text("~" * row.estimated + text.short_count(row.tokens)),
        Text(text.count(row.turns)),
        Text(cost),
        Text(text.signed_money(row.realised, row.digits), style=change_style(row.realised)),
        Text(text.money(row.slippage, row.digits)),
        Text(row.strategy, style=QUIET),
    ]
    shown = {column.title for column in INDEXED_RANKING} | {"equity"}
    return [
        cell
        for column, cell in zip(RANKING, cells, strict=True)
        if not several or column.title in shown
    ]


def equity(frame: Frame, width: int, height: int, chosen: str) -> list[Text]:
    """The returns of all agents as curves."""
    lines = plot_returns(frame.series, width, height, chosen=chosen)
    if lines:
        return lines
    seen = frame.summary.snapshots
    return wrap(f"a curve needs an account and two snapshots; snapshots so far: {seen}", width)


def positions(frame: Frame, width: int, height: int, scroll: int) -> list[Text]:
    """Positions, with profit and holding time in market time."""
    if not frame.positions:
        accounts = sum(row.equity is not None for row in frame.ranking)
        if not accounts:
            return wrap("no position: no account is open yet", width)
        who = f"all {accounts} agents hold" if accounts > 1 else "the agent holds"
        return wrap(f"no position: {who} only cash", width)
    rows = frame.positions[scroll : scroll + max(1, height - 1)]
    names = _product_names([row.product_id for row in rows], width)
    return table(POSITIONS, [_position_cells(row, names[row.product_id]) for row in rows], width)


def _product_names(product_ids: Sequence[str], width: int) -> dict[str, str]:
    """Product id -> the name to show: a narrow pane leaves out the venue if no name is twice."""
    shown = {product_id: product_id for product_id in product_ids}
    short = {product_id: split_key(product_id).symbol for product_id in shown}
    unique = len(set(short.values())) == len(short)
    return short if width < VENUES_FROM and unique else shown


def _position_cells(row: PositionRow, product: str) -> list[Text]:
    words = text.signed_money(row.unrealised, row.digits)
    profit = Text(f"{words} {row.unit}".rstrip(), style=change_style(row.unrealised))
    trouble = "unsellable" if row.closed else "no bid" if row.bid is None else ""
    return [
        Text(row.agent, style=agent_style(row.colour)),
        Text(product),
        Text(text.quantity(row.quantity)),
        Text(text.unit_price(row.average_cost)),
        Text(text.unit_price(row.bid)),
        Text(trouble, style=WARNING) if trouble else profit,
        Text(text.age(row.held_s)),
    ]


def trades(
    frame: Frame, width: int, height: int, scroll: int, columns: tuple[Column, ...] = FILLS
) -> list[Text]:
    """Decided orders, newest first; a rejection shows its reason instead of prices.

    In lock-step the time is market time: the clock says when a computer came to it.
    """
    if not frame.trades:
        turns = sum(row.turns for row in frame.ranking)
        seen = counted(frame.summary.snapshots, "snapshot")
        return wrap(f"no trade yet: agents completed {counted(turns, 'turn')} on {seen}", width)
    header = height >= TITLES_FROM
    rows = frame.trades[scroll : scroll + height - header]
    zone = frame.now.tzinfo
    in_step = frame.summary.lock_step
    moments = [(in_step and row.venue_time) or row.at.astimezone(zone) for row in rows]
    times = [f"{moment:%H:%M:%S}" for moment in moments]
    names = _product_names([row.product_id for row in rows], width)
    cells = [
        _fill_cells(row, names[row.product_id], time) for row, time in zip(rows, times, strict=True)
    ]
    lines = table(columns, cells, width, header=header)
    return lines[:header] + [
        line if row.filled else _refused(row, line, width)
        for row, line in zip(rows, lines[header:], strict=True)
    ]


def _fill_cells(row: TradeRow, product: str, time: str) -> list[Text]:
    moved = Text(text.bps(row.move_bps), style=LOSS if row.against else "")
    venue = f"{row.venue_time:%m-%d %H:%M:%S}" if row.venue_time else ""
    return [
        Text(time, style=QUIET),
        Text(row.agent, style=agent_style(row.colour)),
        Text(row.action),
        Text(row.quantity),
        Text(product),
        Text(text.price(row.seen) if row.filled else ""),
        Text("→" if row.filled else " ", style=QUIET),
        Text(text.price(row.price) if row.filled else ""),
        moved if row.filled else Text(""),
        Text(_latency(row) if row.filled else ""),
        Text(f"{text.money(row.notional, row.digits)} {row.unit}".rstrip() if row.filled else ""),
        Text(f"{text.money(row.fee, row.digits)} {row.unit}".rstrip() if row.filled else ""),
        Text(venue if row.filled else "", style=QUIET),
    ]


def _latency(row: TradeRow) -> str:
    return f"{row.latency_ms:,.0f}" if row.latency_ms else "-"  # A backtest measures none.


def _refused(row: TradeRow, line: Text, width: int) -> Text:
    """Append the reason after the last cell of a rejected order."""
    return _with_words(line, row.words, WARNING, width)


def _with_words(line: Text, words: str, style: str, width: int) -> Text:
    kept = line.copy()
    kept.rstrip()
    kept.append("  ")
    kept.append(words, style=style)
    kept.truncate(width, overflow="ellipsis", pad=True)
    return kept


def thinking(frame: Frame, width: int, height: int, scroll: int) -> list[Text]:
    """The newest text of each agent, and how long it has been deciding."""
    if not frame.thoughts:
        agents, seen = len(frame.ranking), frame.summary.snapshots
        waiting = f"{counted(agents, 'agent')} {noun(agents, 'has', 'have')} no snapshot yet"
        if seen:
            waiting = f"{counted(agents, 'agent')}, {counted(seen, 'snapshot')}"
        return wrap(f"no turn yet: {waiting}", width)
    thoughts = frame.thoughts[scroll:]
    if len(frame.thoughts) <= height:
        thoughts = tuple(sorted(thoughts, key=lambda thought: thought.agent))
    each = max(1, min(4, height // max(1, len(thoughts))))
    longest = max(len(thought.agent) for thought in thoughts)
    name_width = min(longest, FULL_CELLS, max(NAME_CELLS_MIN, width // 4))
    lines: list[Text] = []
    for thought in thoughts:
        lines += _thought_lines(thought, frame, width, name_width, each)
        if len(lines) >= height:
            break
    return lines[:height]


def _thought_lines(
    thought: Thought, frame: Frame, width: int, name_width: int, each: int
) -> list[Text]:
    note = _thought_note(thought, frame)
    room = max(10, width - name_width - 2 - note.cell_len - 2)
    words, style = thought.words or "(no text)", "" if thought.words else QUIET
    if thought.outcome not in ("completed", ""):
        words = f"{thought.outcome.replace('_', ' ')}: {words}"
        words, style = (f"dead, {words}", ALARM) if thought.dead else (words, WARNING)
    if not thought.outcome:
        words, style = "(first turn in progress)", QUIET
    elif thought.words and thought.outcome == "completed":
        words = f'"{words}"'
    lines: list[Text] = []
    for index, part in enumerate(wrap(words, room, style=style, limit=each)):
        name = Text(" " * (name_width + 2))
        if not index:
            shown = f"{thought.agent[:name_width]:<{name_width}}  "
            name = Text(shown, style=agent_style(thought.colour))
        line = Text.assemble(name, part, no_wrap=True)
        if not index:
            line.append("  ")
            line.append_text(note)
        line.truncate(width, overflow="ellipsis", pad=True)
        lines.append(line)
    return lines


def _thought_note(thought: Thought, frame: Frame) -> Text:
    if thought.deciding_s is not None:
        return Text(f"deciding for {text.age(thought.deciding_s)}", style=FOCUS)
    if not thought.outcome:
        return Text("")
    tokens = "~" * thought.estimated + text.short_count(thought.tokens)
    if thought.ended_at is None:
        return Text(f"{tokens} tok", style=QUIET)
    ago = text.age((frame.now - thought.ended_at).total_seconds())
    return Text(f"{tokens} tok  {ago} ago", style=QUIET)


def legend(frame: Frame, height: int, *, short: bool = False) -> list[Text]:
    """Notes on the ranking: scripted models, baselines, hidden rows."""
    parts: list[Text] = []
    scripted = [row.scripted for row in frame.ranking if row.scripted is not None]
    if scripted and all(scripted):
        words = "scripted, no LLM" if short else "models: scripted rules, not LLMs"
        parts.append(Text(words, style=WARNING))
    elif any(scripted):
        parts.append(Text("s scripted rules, not an LLM", style=WARNING))
    if any(row.kind == "baseline" for row in frame.ranking):
        parts.append(Text("b baseline", style=QUIET))
    if further := frame.summary.wallets:
        names = " + ".join((frame.summary.currency, *further))
        parts.append(Text(names if short else f"wealth index over {names}", style=QUIET))
    elif frame.summary.currency != DEFAULT_CURRENCY:
        words = frame.summary.currency if short else f"amounts in {frame.summary.currency}"
        parts.append(Text(words, style=QUIET))
    if dead := sum(row.dead is not None for row in frame.ranking):
        parts.append(Text(f"{dead} dead, not ranked", style=ALARM))
    if len(frame.ranking) >= height:
        shown = Text(f"{height - 1} of {len(frame.ranking)}", style=QUIET)
        parts.insert(1 if short and parts else len(parts), shown)
    if frame.summary.broken_log:
        parts = [Text(f"ACCOUNT LOG BROKEN: {frame.summary.broken_log}", style=ALARM)]
    return parts
