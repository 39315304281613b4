"""The report's tables: leaderboard, pairs, latency, decisions, offsets. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from arena.messages import DeadEntry
from arena.vitals import CAUSE_CHARS_MAX
from judge.metrics import Metrics
from judge.report import words
from judge.report.agents import NAME_MAX, anchor, entry_words
from judge.report.facts import Facts
from judge.report.tables import Cell, Head, Row, Table, name_cell, plain
from judge.statistics import Interval, Pair, Standing

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the leaderboard: its head, and the cell of one entry."""

    head: Head
    cell: Callable[[Metrics, Standing], Cell]


def leaderboard_table(facts: Facts) -> Table:
    """Every entry, best return first."""
    heads = (Head("entry", "w stick", up=True), *(column.head for column in COLUMNS))
    rows = []
    for place in facts.order:
        entry = facts.season.entries[place]
        metrics, standing = facts.metrics[place], facts.standing(place)
        first = name_cell(
            words.quote(entry.name, NAME_MAX),
            words.quote(entry_words(entry), 2 * NAME_MAX),
            anchor(place),
        )
        cells = tuple(column.cell(metrics, standing) for column in COLUMNS)
        rows.append(Row((first, *cells), entry.kind if entry.kind == "baseline" else ""))
    return Table("Leaderboard", heads, tuple(rows), sortable=True, kind="leaderboard")


def _ranks(metrics: Metrics, standing: Standing) -> Cell:
    text = words.rank_set(standing.rank_low, standing.rank_high)
    return Cell(text, value=standing.rank_low + standing.rank_high / 1e4)


def _return(metrics: Metrics, standing: Standing) -> Cell:
    under = "" if standing.total is None else _range(_simple(standing.total), percent=True)
    shown = plain(words.change(metrics.total_return), metrics.total_return, colored=True)
    return Cell(shown.text, under, shown.css, shown.value)


def _sharpe(metrics: Metrics, standing: Standing) -> Cell:
    if standing.sharpe is None:
        return plain(words.UNKNOWN, None)
    found = standing.sharpe
    return Cell(words.number(found.estimate, 1), _range(found), "", found.estimate)


def _of(
    name: str, form: Callable[[float | None], str], *, colored: bool = False
) -> Callable[[Metrics, Standing], Cell]:
    """A cell of one metric; an unknown one says why when pointed at."""

    def cell(metrics: Metrics, standing: Standing) -> Cell:
        found = getattr(metrics, name)
        value = None if found is None else float(found)
        shown = plain(form(value), value, colored=colored)
        why = metrics.reasons.get(name, "")
        return Cell(shown.text, "", shown.css, shown.value, note=why)

    return cell


COLUMNS = (
    Column(Head("rank set", note="ranks the evidence leaves open", up=True), _ranks),
    Column(Head("equity"), _of("equity_usd", words.usd)),
    Column(Head("return", note="over the season, with its interval"), _return),
    Column(
        Head("over hold", note="return less that of the buy-and-hold"),
        _of("excess_return", words.change, colored=True),
    ),
    Column(
        Head("max drawdown", note="deepest fall below an earlier peak", up=True),
        _of("max_drawdown", words.share),
    ),
    Column(Head("Sharpe", note="annualised, with its interval"), _sharpe),
    Column(
        Head("P(best)", note="share of resampled seasons in which it came first"),
        lambda metrics, standing: plain(words.share(standing.p_best), standing.p_best),
    ),
    Column(Head("fees"), _of("fees_usd", words.usd)),
    Column(Head("slippage"), _of("slippage_usd", words.usd)),
    Column(
        Head("latency cost", note="lost against the price it saw; negative is a gain"),
        _of("latency_usd", words.change_usd),
    ),
    Column(Head("LLM $", note="model calls, replayed ones too"), _of("llm_usd", words.llm_usd)),
    Column(
        Head("net return", note="after the cost of its model calls"),
        _of("net_return", words.change, colored=True),
    ),
    Column(Head("win rate", note="of closed trades"), _of("win_rate", words.share)),
    Column(Head("biggest win"), _of("biggest_win_usd", words.change_usd)),
    Column(Head("biggest loss"), _of("biggest_loss_usd", words.change_usd)),
    Column(Head("trades"), _of("trades", words.count)),
    Column(Head("rejected"), _of("rejected", words.count)),
    Column(Head("decisions"), _of("decisions", words.count)),
    Column(
        Head("invalid", note="decisions with an output nobody could use"),
        _of("invalid_rate", words.share),
    ),
    Column(
        Head("holds", note="the model decided, without an order"),
        _of("hold_share", words.share),
    ),
    Column(
        Head("deflated Sharpe", note="P(true Sharpe > what the best of so many would show)"),
        lambda metrics, standing: plain(words.share(standing.dsr), standing.dsr),
    ),
)


def dead_table(facts: Facts) -> Table:
    """Entries that are not ranked: why, for how long, and what to do."""
    season = facts.season
    heads = (
        Head("agent", "w stick"),
        Head("turns", note="all that were recorded"),
        Head("decided", note="turns in which the model decided something"),
        Head("cause, and what to do", "w"),
    )
    rows = [
        Row(
            (
                name_cell(
                    words.quote(one.agent, NAME_MAX),
                    under=words.quote(_made_of(one), 2 * NAME_MAX),
                ),
                plain(words.count(one.recorded_turns)),
                plain(words.count(one.decisions)),
                Cell(
                    f"{state}: {words.quote(one.cause, CAUSE_CHARS_MAX)}",
                    under=words.quote(one.remedy, CAUSE_CHARS_MAX),
                    css="long",
                ),
            ),
            css="baseline" if one.kind == "baseline" else "",
        )
        for state, entries in (("dead", season.dead), ("not comparable", season.apart))
        for one in entries
    ]
    return Table(label=unranked_title(facts).lower(), heads=heads, rows=tuple(rows))


def unranked_title(facts: Facts) -> str:
    """The title of the list of entries without a rank; "" if every entry has one."""
    if facts.season.dead:
        return "Dead, not ranked"
    return "Not comparable, not ranked" if facts.season.apart else ""


def _made_of(one: DeadEntry) -> str:
    made = " × ".join(filter(None, (one.strategy, one.node, one.model)))
    return f"{made}, baseline" if one.kind == "baseline" else made


def pairs_table(facts: Facts) -> Table:
    """Row less column: the difference in return, its interval, and whether it is separated."""
    order, names = facts.ranking, [words.quote(one.name, NAME_MAX) for one in facts.entrants]
    pairs = {(pair.a, pair.b): pair for pair in facts.verdict.pairs}
    heads = (Head("row less column", "w stick"), *(Head(names[n]) for n in order))
    rows = []
    for a in order:
        cells = [
            Cell("·", css="same", note="itself")
            if a == b
            else _pair_cell(pairs[min(a, b), max(a, b)], flipped=a > b)
            for b in order
        ]
        kind = facts.entrants[a].kind
        rows.append(Row((name_cell(names[a]), *cells), kind if kind == "baseline" else ""))
    return Table("Pairwise differences in return", heads, tuple(rows), kind="pairs")


def _pair_cell(pair: Pair, *, flipped: bool) -> Cell:
    if pair.identical:
        return Cell("identical", css="same", note="the same return in every period")
    if pair.difference is None:
        return Cell(words.UNKNOWN, css="same", note=pair.reason)
    found = _flip(pair.difference) if flipped else pair.difference
    mark, css = "", ""
    if pair.separated:
        mark, css = ("▲ ", "beats") if found.estimate > 0 else ("▼ ", "loses")
    p_value = "" if pair.p_adjusted is None else f"p adjusted {pair.p_adjusted:.3f}"
    simple = _simple(found)
    return Cell(
        mark + words.change(simple.estimate), _range(simple, percent=True), css, note=p_value
    )


def latency_table(facts: Facts) -> Table:
    """Seen against filled: what waiting cost each entry that traded."""
    heads = (
        Head("entry", "w stick", up=True), Head("trades"), Head("traded"), Head("fees"),
        Head("slippage"), Head("latency cost"), Head("in bps", note="of what was traded"),
        Head("decision took", note="mean wall time of a turn"),
        Head("turnover", note="traded notional over mean equity"),
    )  # fmt: skip
    rows = []
    for place in traders(facts):
        metrics = facts.metrics[place]
        notional, bps = notional_usd(facts, place), latency_bps(facts, place)
        took = None if metrics.decision_ms is None else metrics.decision_ms / 1000
        cells = (
            name_cell(words.quote(facts.season.names[place], NAME_MAX), "", anchor(place)),
            plain(words.count(metrics.trades), metrics.trades),
            plain(words.usd(notional), notional),
            plain(words.usd(metrics.fees_usd), metrics.fees_usd),
            plain(words.usd(metrics.slippage_usd), metrics.slippage_usd),
            plain(words.change_usd(metrics.latency_usd), metrics.latency_usd),
            plain(words.change_usd(bps), bps),
            plain(words.lasted(took), took),
            plain(words.number(metrics.turnover), metrics.turnover),
        )
        rows.append(Row(cells, _css(facts, place)))
    return Table("Trading costs", heads, tuple(rows), sortable=True)


def decisions_table(facts: Facts) -> Table:
    """What deciding cost: tokens, dollars, time, and how much of it was unusable."""
    heads = (
        Head("entry", "w stick", up=True), Head("decisions"), Head("$ per decision"), Head("LLM $"),
        Head("paid", note="without replayed replies"), Head("tokens per decision"),
        Head("model took", note="mean wall time of the calls of a turn"), Head("replayed"),
        Head("failed calls"), Head("invalid"), Head("skipped snapshots"),
    )  # fmt: skip
    rows = []
    for place in facts.order:
        metrics, spend = facts.metrics[place], facts.season.llm[place]
        cost = None if metrics.llm_usd is None else float(metrics.llm_usd)
        paid = None if metrics.llm_paid_usd is None else float(metrics.llm_paid_usd)
        tokens = metrics.tokens / metrics.decisions if metrics.decisions else None
        took = None if metrics.model_ms is None else metrics.model_ms / 1000
        cells = (
            name_cell(words.quote(facts.season.names[place], NAME_MAX), "", anchor(place)),
            plain(words.count(metrics.decisions), metrics.decisions),
            plain(words.llm_usd(metrics.usd_per_decision), metrics.usd_per_decision),
            plain(words.llm_usd(cost), cost),
            plain(words.llm_usd(paid), paid),
            plain(words.count(tokens), tokens),
            plain(words.lasted(took), took),
            plain(words.count(spend.replayed), spend.replayed),
            plain(words.count(spend.failed), spend.failed),
            plain(words.share(metrics.invalid_rate), metrics.invalid_rate),
            plain(words.count(metrics.skipped), metrics.skipped),
        )
        rows.append(Row(cells, _css(facts, place)))
    return Table("Cost of decisions", heads, tuple(rows), sortable=True)


def offsets_table(facts: Facts) -> Table:
    """Where each topic ended, and the hash of its exported file."""
    heads = (
        Head("topic", "w stick"),
        Head("partition"),
        Head("up to offset"),
        Head("SHA-256", "w"),
    )
    rows = [
        Row(
            (
                name_cell(topic),
                plain(str(partition)),
                plain(words.count(end)),
                Cell(facts.records.get(topic, "")[:16], css="w", note=facts.records.get(topic, "")),
            )
        )
        for topic, ends in facts.ends.items()
        for partition, end in sorted(ends.items())
    ]
    return Table("Offsets", heads, tuple(rows), kind="fit")


def traders(facts: Facts) -> list[int]:
    """The entries that filled an order, best first."""
    return [place for place in facts.order if facts.season.fills[place]]


def notional_usd(facts: Facts, place: int) -> float:
    """What an entry traded, both sides."""
    return sum(fill.notional for fill in facts.season.fills[place]) / 1e8


def latency_bps(facts: Facts, place: int) -> float:
    """What waiting cost an entry that traded, in basis points of what it traded."""
    return facts.metrics[place].latency_usd / notional_usd(facts, place) * BPS


def _css(facts: Facts, place: int) -> str:
    kind = facts.season.entries[place].kind
    return kind if kind == "baseline" else ""


def _simple(found: Interval) -> Interval:
    """An interval of log returns as relative changes."""
    return Interval(math.expm1(found.estimate), math.expm1(found.low), math.expm1(found.high))


def _flip(found: Interval) -> Interval:
    return Interval(-found.estimate, -found.high, -found.low)


def _range(found: Interval, *, percent: bool = False) -> str:
    if percent:
        return words.spread(found.low * 100, found.high * 100, 2)
    return words.spread(found.low, found.high, 1)
