"""The verdict in words, and the leaderboard as a table of plain text. Pure."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import zip_longest
from math import expm1

import numpy as np

from arena.messages import DeadEntry, Estimate, Evaluation, LeaderboardRow
from arena.visible import laid_out, one_line
from arena.vitals import short_cause
from judge.season.model import Season
from judge.statistics import Verdict

DASH = "-"
NAMES_SHOWN = 4
DEAD_CAUSE_CHARS = 90
CELL_CHARS_MAX = 80
LINE_CHARS_MAX = 1_000
VERDICT_CHARS_MAX = 10_000
BUY_AND_HOLD = "buy_and_hold"
ALL_DEAD = "every agent is dead"


def verdict_words(season: Season, verdict: Verdict, ranked: Sequence[str]) -> str:
    """What the season can and cannot tell, in a few sentences.

    Args:
        season: What was judged.
        verdict: Its statistics, in the order of the season's entries.
        ranked: The names, best first.
    """
    if not season.periods:
        return "No snapshot yet: there is nothing to judge."
    if verdict.block_length is None or not verdict.pairs:
        sentences = [_why_none(verdict)]
    else:
        sentences = [_top(season, verdict, ranked), _against_hold(season, verdict)]
    sentences += [season.assumptions.rules_changed]
    sentences += [dead_words(season.dead), apart_words(season.apart)]
    return " ".join(_sentence(text) for text in sentences if text)


def all_dead(season: Season) -> bool:
    """True if agents took part and every one of them is dead."""
    alive = any(entry.kind == "agent" for entry in season.entries)
    return not alive and any(one.kind == "agent" for one in season.dead)


def dead_words(dead: Sequence[DeadEntry]) -> str:
    """Who is not ranked, and why: "2 dead agents are not ranked: a (401 ...), b (...)"."""
    if not dead:
        return ""
    who = "1 dead agent is" if len(dead) == 1 else f"{len(dead)} dead agents are"
    return f"{who} not ranked: {_named(dead)}"


def apart_words(apart: Sequence[DeadEntry]) -> str:
    """Who cannot be compared, and why; "" if there are none."""
    if not apart:
        return ""
    who = "1 agent is" if len(apart) == 1 else f"{len(apart)} agents are"
    return f"{who} not comparable and not ranked: {_named(apart)}"


def _named(entries: Sequence[DeadEntry]) -> str:
    named = [
        f"{one.agent} ({short_cause(one.cause, DEAD_CAUSE_CHARS)})" for one in entries[:NAMES_SHOWN]
    ]
    more = f" and {len(entries) - NAMES_SHOWN} more" if len(entries) > NAMES_SHOWN else ""
    return f"{', '.join(named)}{more}"


def _why_none(verdict: Verdict) -> str:
    if len(verdict.standings) == 1 and verdict.reasons.get("detectable") != ALL_DEAD:
        return "no verdict: a single agent has nobody to be compared with"
    return f"no verdict: {verdict.reasons.get('pairs') or verdict.reasons.get('detectable', '')}"


def _top(season: Season, verdict: Verdict, ranked: Sequence[str]) -> str:
    low = {s.name: s.rank_low for s in verdict.standings}
    high = {s.name: s.rank_high for s in verdict.standings}
    first = [name for name in ranked if low[name] == 1]
    span = duration_words(span_s(season))
    if len(first) == 1 and high[first[0]] == 1:
        return f"{first[0]} is first: it is separated from every other agent after {span}"
    named = ", ".join(first[:NAMES_SHOWN]) + (", ..." if len(first) > NAMES_SHOWN else "")
    # By return, an agent of wide intervals may stand behind one that is separated from the first.
    leading = first == list(ranked[: len(first)])
    words = f"cannot separate #1-#{len(first)} ({named})" if leading else f"cannot separate {named}"
    if verdict.detectable is not None:
        least = expm1(verdict.detectable)
        words += f"; a difference under {percent(least)} could not have been seen in {span}"
    return words


def _against_hold(season: Season, verdict: Verdict) -> str:
    """Who is separated from the buy-and-hold baseline, where one takes part."""
    places = [
        place
        for place, entry in enumerate(season.entries)
        if entry.kind == "baseline" and entry.strategy == BUY_AND_HOLD
    ]
    agents = {place for place, entry in enumerate(season.entries) if entry.kind == "agent"}
    if not places or not agents:
        return ""
    hold, names = places[0], season.names
    better: list[str] = []
    worse: list[str] = []
    for pair in verdict.pairs:
        if not pair.separated or pair.difference is None or hold not in (pair.a, pair.b):
            continue
        other = pair.b if pair.a == hold else pair.a
        if other in agents:
            ahead = (pair.difference.estimate > 0) == (pair.a == other)
            (better if ahead else worse).append(names[other])
    words = (
        f"no agent beats {names[hold]}" if not better else f"{_list(better)} above {names[hold]}"
    )
    return words + (f"; {_list(worse)} below it" if worse else "")


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text[:1].islower() and " " in text else f"{text}."


def span_s(season: Season) -> float:
    """Venue seconds from the first snapshot to the end of the last interval."""
    between = season.times[-1] - season.times[0]
    return float(between / np.timedelta64(1, "s")) + season.interval_s


def duration_words(seconds: float) -> str:
    """A length of time in its largest fitting units: "16 days", "2 h 5 min", "40 s"."""
    whole = round(seconds)
    if whole >= 2 * 86_400:
        days = whole / 86_400
        return f"{days:.0f} days" if abs(days - round(days)) < 0.05 else f"{days:.1f} days"
    hours, rest = divmod(whole, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left if not hours else 0, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def rank_words(low: int, high: int) -> str:
    """A rank set: "1" or "1-3"."""
    return str(low) if low == high else f"{low}-{high}"


def percent(share: float | None, *, signed: bool = False) -> str:
    """A share in percent, with a sign where asked, three figures below 1 %: "+4.1 %", "0.012 %"."""
    if share is None:
        return DASH
    hundredths = share * 100
    decimals = 1 if abs(hundredths) >= 1 else 2 if abs(hundredths) >= 0.1 else 3
    if hundredths == 0:
        return "0.0 %"
    return f"{hundredths:{'+' if signed else ''}.{decimals}f} %"


def interval_words(interval: Estimate | None) -> str:
    """The ends of an interval of shares in percent: "-1.2 .. +3.4"."""
    if interval is None:
        return DASH
    return f"{interval.low * 100:+.2f} .. {interval.high * 100:+.2f}"


def _usd(amount: Decimal | None) -> str:
    return DASH if amount is None else f"{amount:,.2f}"


def _gain(amount: Decimal | None) -> str:
    return DASH if amount is None else f"{amount:+,.2f}"


def _sharpe(row: LeaderboardRow) -> str:
    if row.sharpe is None:
        return DASH
    return f"{row.sharpe.value:+.1f} ({row.sharpe.low:+.1f} .. {row.sharpe.high:+.1f})"


def _llm(row: LeaderboardRow) -> str:
    return "unknown" if row.llm_usd is None else f"{row.llm_usd:,.4f}"


def _share(value: float | None) -> str:
    return DASH if value is None else f"{value:.0%}"


def _model(row: LeaderboardRow) -> str:
    name = row.model or row.node
    return f"{name} (scripted)" if row.scripted and "scripted" not in name else name


Column = tuple[str, Callable[[LeaderboardRow], str]]

STANDINGS: tuple[Column, ...] = (
    ("rank", lambda row: rank_words(row.rank_low, row.rank_high)),
    ("agent", lambda row: row.agent),
    ("strategy", lambda row: row.strategy),
    ("model", _model),
    ("equity", lambda row: _usd(row.equity_usd)),
    ("return", lambda row: percent(row.total_return, signed=True)),
    ("interval %", lambda row: interval_words(row.return_interval)),
    ("vs hold", lambda row: percent(row.excess_return, signed=True)),
    ("drawdown", lambda row: percent(row.drawdown)),
    ("Sharpe", _sharpe),
    ("P(best)", lambda row: _share(row.p_best)),
    ("net of LLM", lambda row: percent(row.net_return, signed=True)),
)
COSTS: tuple[Column, ...] = (
    ("agent", lambda row: row.agent),
    ("fees", lambda row: _usd(row.fees_usd)),
    ("slippage", lambda row: _usd(row.slippage_usd)),
    ("latency", lambda row: _gain(row.latency_usd)),
    ("LLM $", _llm),
    ("trades", lambda row: f"{row.trades:,}"),
    ("rejected", lambda row: f"{row.rejected:,}"),
    ("win rate", lambda row: _share(row.win_rate)),
    ("biggest win", lambda row: _gain(row.biggest_win_usd)),
    ("biggest loss", lambda row: _gain(row.biggest_loss_usd)),
    ("decisions", lambda row: f"{row.decisions:,}"),
    ("holds", lambda row: _share(row.hold_share)),
    ("invalid", lambda row: _share(row.invalid_rate)),
    ("skipped", lambda row: f"{row.skipped:,}"),
)
_LEFT = {"agent", "strategy", "model"}


def render(evaluation: Evaluation) -> str:
    """The evaluation as plain text: verdict, standings, costs, method and assumptions."""
    blocks = [one_line(evaluation.verdict, VERDICT_CHARS_MAX)]
    if evaluation.rows:
        level = f"Standings; intervals at {evaluation.confidence:.0%}"
        if evaluation.hold_return is not None:
            held = percent(evaluation.hold_return, signed=True)
            level += f"; buy-and-hold of all products {held}"
        blocks.append(f"{level}\n{_table(STANDINGS, evaluation.rows)}")
        blocks.append(f"Costs and conduct, USD\n{_table(COSTS, evaluation.rows)}")
    if evaluation.dead:
        blocks.append("\n".join(("Dead, not ranked", *_dead_lines(evaluation.dead))))
    if evaluation.apart:
        title = "Not comparable, not ranked"
        blocks.append("\n".join((title, *_dead_lines(evaluation.apart))))
    blocks.append("\n".join(("Method", *(laid_out(f"  {line}") for line in evaluation.method))))
    blocks.append(
        "\n".join(("Assumptions", *(laid_out(f"  {line}") for line in evaluation.assumptions)))
    )
    return "\n\n".join(blocks)


def _dead_lines(dead: Sequence[DeadEntry]) -> list[str]:
    lines = []
    for one in dead:
        made = " x ".join(filter(None, (one.strategy, one.model or one.node)))
        turns = f"{one.decisions} of {one.recorded_turns} turns decided"
        said = f"{one.agent}  {made}  {one.kind}, {turns}: {one.cause}"
        lines.append(f"  {laid_out(said)}")
        if one.remedy:
            lines.append(f"    {one_line(one.remedy, LINE_CHARS_MAX)}")
    return lines


def _table(columns: Sequence[Column], rows: Sequence[LeaderboardRow]) -> str:
    read_rows = ([one_line(read(row), CELL_CHARS_MAX) for _, read in columns] for row in rows)
    cells = [[name for name, _ in columns], *read_rows]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    lines = []
    for line in cells:
        padded = (
            cell.ljust(width) if name in _LEFT else cell.rjust(width)
            for cell, width, (name, _) in zip(line, widths, columns, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
