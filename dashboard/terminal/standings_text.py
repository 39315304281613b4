"""The standings as plain lines, and the arena in one line for a log. Pure."""

from collections.abc import Sequence

from arena.plural import counted
from dashboard import text
from dashboard.labels import market_text, model_text, shadow_text, spending_text
from dashboard.model.frame import Frame
from dashboard.model.rows import AgentRow
from dashboard.terminal.feed_text import feed_text


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
    spent = filter(None, (spending_text(summary), shadow_text(summary)))
    parts.append(f"{counted(summary.llm_errors, 'LLM error')}, {', '.join(spent)}")
    if not ended:
        market = (summary.feed_down, summary.market_warning)
        parts += [text.one_line(words) for words in market if words]
    if frame.halts:
        parts.append("HALTED: " + ", ".join(text.one_line(row.scope, 40) for row in frame.halts))
    if summary.broken_log:
        parts.append(f"BROKEN LOG: {summary.broken_log}")
    return "  ".join(parts)
