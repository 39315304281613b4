"""Tables of the report other than the leaderboard: pairs, costs, decisions, dead, offsets. Pure."""

from arena.agent_health import CAUSE_CHARS_MAX
from arena.currency import cash_digits
from arena.gate_counts import GateFigures, total_saved
from arena.gate_settings import OFF
from arena.messages import DeadEntry, Evaluation
from judge.formatting import joined_names
from judge.metrics_currencies import currency_amounts
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, anchor
from judge.report.facts import Facts
from judge.report.tables import ReportTable, TableCell, TableHead, TableRow, name_cell, plain
from judge.simple_returns import simple_interval
from judge.statistics import Interval, Pair

BPS = 10_000
REASON_MAX = 300
NOTES_MAX = 12
"""Most lines below the table of pairs; figures.json has every reason."""


def dead_table(facts: Facts) -> ReportTable:
    """Return the table of unranked entries: turns, cause and remedy."""
    season = facts.season
    heads = (
        TableHead("agent", "w stick"),
        TableHead("turns", note="all that were recorded"),
        TableHead("decided", note="turns in which the model decided something"),
        TableHead("cause, and what to do", "w"),
    )
    rows = [
        TableRow(
            (
                name_cell(
                    formats.quote(one.agent, NAME_MAX),
                    under=formats.quote(_description(one), 2 * NAME_MAX),
                ),
                plain(formats.count(one.recorded_turns)),
                plain(formats.count(one.decisions)),
                TableCell(
                    f"{state}: {formats.quote(one.cause, CAUSE_CHARS_MAX)}",
                    under=formats.quote(one.remedy, CAUSE_CHARS_MAX),
                    css="long",
                ),
            ),
            css="baseline" if one.kind == "baseline" else "",
        )
        for state, entries in (("dead", season.dead), ("not comparable", season.apart))
        for one in entries
    ]
    return ReportTable(label=unranked_title(facts).lower(), heads=heads, rows=tuple(rows))


def unranked_title(facts: Facts) -> str:
    """Return the title of the list of unranked entries; "" without any."""
    season = facts.season
    if season.dead and season.apart:
        return "Not ranked"
    if season.dead:
        return "Dead, not ranked"
    return "Not comparable, not ranked" if season.apart else ""


def _description(one: DeadEntry) -> str:
    made = " × ".join(filter(None, (one.strategy, one.node, one.model)))
    return f"{made}, baseline" if one.kind == "baseline" else made


def pairs_table(facts: Facts, evaluation: Evaluation, *, alpha: bool = False) -> ReportTable:
    """Return the table of differences, row less column, with intervals and decisions.

    Args:
        facts: Figures of the run.
        evaluation: Its rows determine the order of the table.
        alpha: True for returns beyond market exposure instead of whole returns.
    """
    names = [standing.name for standing in facts.verdict.standings]
    index_of = {name: index for index, name in enumerate(names)}
    order = [index_of[row.agent] for row in evaluation.rows]
    quoted = [formats.quote(name, NAME_MAX) for name in names]
    compared = facts.board.alpha if alpha else facts.verdict.pairs
    pairs = {(pair.a, pair.b): pair for pair in compared}
    heads = (TableHead("row less column", "w stick"), *(TableHead(quoted[n]) for n in order))
    rows = []
    for row, a in zip(evaluation.rows, order, strict=True):
        cells = [
            TableCell("·", css="same")
            if a == b or (min(a, b), max(a, b)) not in pairs
            else _pair_cell(pairs[min(a, b), max(a, b)], flipped=a > b)
            for b in order
        ]
        rows.append(
            TableRow((name_cell(quoted[a]), *cells), "baseline" if row.kind == "baseline" else "")
        )
    why = (
        (f"{quoted[a]} less {quoted[b]}", "the pair", formats.quote(pair.reason, REASON_MAX))
        for (a, b), pair in pairs.items()
        if pair.reason
    )
    grouped: dict[str, list[str]] = {}
    for which, _, reason in why:
        grouped.setdefault(reason, []).append(which)
    notes = tuple(f"{joined_names(which)}: {reason}" for reason, which in grouped.items())
    if any(pair.p_adjusted is not None for pair in compared):
        level = facts.verdict.claim_level
        at = "p is adjusted for all pairs; at this point of the season a look claims at p up to"
        notes = (f"{at} {level:.4f}", *notes)
    label = "Pairwise differences in return" + (" beyond market exposure" if alpha else "")
    return ReportTable(label, heads, tuple(rows), kind="pairs", notes=notes[:NOTES_MAX])


def _pair_cell(pair: Pair, *, flipped: bool) -> TableCell:
    if pair.identical:
        return TableCell("identical", css="same")
    if pair.difference is None:
        return TableCell(formats.UNKNOWN, css="same")
    found = _flip(pair.difference) if flipped else pair.difference
    mark, css = "", ""
    if pair.separated:
        mark, css = ("▲ ", "beats") if found.estimate > 0 else ("▼ ", "loses")
    simple = simple_interval(found)
    if simple is None:
        return TableCell(f"{mark}{formats.UNKNOWN}", "too wide to say", css)
    under = formats.spread(simple.low * 100, simple.high * 100, 2)
    if pair.p_adjusted is not None:
        under += f", {formats.p_text(pair.p_adjusted)}"
    return TableCell(mark + formats.change(simple.value), under, css, simple.value)


def latency_table(facts: Facts) -> ReportTable:
    """Return the trading costs of each entry that traded: fees, slippage and latency."""
    heads = (
        TableHead("entry", "w stick", up=True),
        TableHead("trades"),
        TableHead("traded"),
        TableHead("fees"),
        TableHead("slippage"),
        TableHead("latency cost"),
        TableHead("in bps", note="of what was traded"),
        TableHead("decision took", note="mean wall time of a turn"),
        TableHead("turnover", note="traded notional over mean equity"),
    )
    rows = []
    for index in trading_entries(facts):
        metrics = facts.metrics[index]
        took = None if metrics.decision_ms is None else metrics.decision_ms / 1000
        for one in currency_amounts(facts.season, index):
            if not one.trades:
                continue
            digits, bps = cash_digits(one.currency), one.latency_usd / one.traded_usd * BPS
            under = one.currency if facts.season.parts else ""
            cells = (
                name_cell(formats.quote(facts.season.names[index], NAME_MAX), under, anchor(index)),
                plain(formats.count(one.trades), one.trades),
                plain(formats.money(one.traded_usd, digits), one.traded_usd),
                plain(formats.money(one.fees_usd, digits), one.fees_usd),
                plain(formats.money(one.slippage_usd, digits), one.slippage_usd),
                plain(formats.gain(one.latency_usd, digits), one.latency_usd),
                plain(formats.gain(bps), bps),
                plain(_took(metrics.decision_ms, metrics.decisions), took),
                plain(formats.number(metrics.turnover), metrics.turnover),
            )
            rows.append(TableRow(cells, _css(facts, index)))
    units = " and ".join(facts.season.currencies)
    return ReportTable(f"Trading costs, {units}", heads, tuple(rows), sortable=True)


def _took(milliseconds: float | None, decisions: int) -> str:
    return formats.measured(milliseconds) if decisions else formats.UNKNOWN


def decisions_table(facts: Facts) -> ReportTable:
    """Return the costs of decisions: tokens, dollars, time, and unusable outputs."""
    heads = (
        TableHead("entry", "w stick", up=True),
        TableHead("decisions"),
        TableHead("$ per decision"),
        TableHead("LLM $"),
        TableHead("paid", note="without replayed replies"),
        TableHead("tokens per decision"),
        TableHead("model took", note="mean wall time of the calls of a turn"),
        TableHead("replayed"),
        TableHead("failed calls"),
        TableHead("invalid"),
        TableHead("aborted turns", note="cut off by the end of their router, and no decisions"),
        TableHead("skipped snapshots"),
    )
    rows = []
    for index in facts.order:
        metrics, spend = facts.metrics[index], facts.season.llm[index]
        cost = None if metrics.llm_usd is None else float(metrics.llm_usd)
        paid = None if metrics.llm_paid_usd is None else float(metrics.llm_paid_usd)
        tokens = metrics.tokens / metrics.decisions if metrics.decisions else None
        took = None if metrics.model_ms is None else metrics.model_ms / 1000
        cells = (
            name_cell(formats.quote(facts.season.names[index], NAME_MAX), "", anchor(index)),
            plain(formats.count(metrics.decisions), metrics.decisions),
            plain(formats.llm_usd(metrics.usd_per_decision), metrics.usd_per_decision),
            plain(formats.llm_usd(cost), cost),
            plain(formats.llm_usd(paid), paid),
            plain(formats.count(tokens), tokens),
            plain(_took(metrics.model_ms, metrics.decisions), took),
            plain(formats.count(spend.replayed), spend.replayed),
            plain(formats.count(spend.failed), spend.failed),
            plain(formats.share(metrics.invalid_rate), metrics.invalid_rate),
            plain(formats.count(metrics.aborted), metrics.aborted),
            plain(formats.count(metrics.skipped), metrics.skipped),
        )
        rows.append(TableRow(cells, _css(facts, index)))
    return ReportTable("Cost of decisions", heads, tuple(rows), sortable=True)


def gates_table(facts: Facts) -> ReportTable:
    """Return on how many snapshots each entry was asked, and what its gates saved."""
    heads = (
        TableHead("entry", "w stick", up=True),
        TableHead("asked", note="turns"),
        TableHead("not asked", note="snapshots on which a gate or the cadence held it back"),
        TableHead("calls saved", note="estimate: the mean calls of its turns, times not asked"),
        TableHead("$ saved", note="estimate in the same way; 0 for scripted entries"),
        TableHead("reasons", "w", note="why it was not asked, and on how many snapshots"),
        TableHead("gates", "w", note="in venue time; off: asked on every snapshot"),
    )
    rows = []
    for index in facts.order:
        found = facts.season.gates[index] if facts.season.gates else GateFigures()
        on, usd = found.gates != OFF, found.usd_saved
        dollars = None if usd is None or not on else float(usd)
        cells = (
            name_cell(formats.quote(facts.season.names[index], NAME_MAX), "", anchor(index)),
            plain(formats.count(found.asked), found.asked),
            plain(formats.count(found.held_back), found.held_back),
            plain(f"~{found.calls_saved:,.0f}" if on else formats.UNKNOWN, found.calls_saved),
            plain(formats.llm_usd(dollars), dollars),
            TableCell(found.skipped_text, css="long"),
            TableCell(found.gates, css="long"),
        )
        rows.append(TableRow(cells, _css(facts, index)))
    return ReportTable("When entries were asked", heads, tuple(rows), sortable=True)


def gates_note(facts: Facts) -> str:
    """Return what the gates saved in all, or that they were off."""
    gated, calls, usd = total_saved(facts.season.gates)
    if not gated:
        return "Gates: off. Every entry was asked on every snapshot that it was ready for."
    dollars = "at an unknown price" if usd is None else f"and ${usd:,.2f}"
    return (
        f"Gates were on for {gated} of {len(facts.season.gates)} entries and saved about "
        f"{calls:,.0f} model calls {dollars}: an estimate, which assumes that a turn on a skipped "
        "snapshot would have cost as much as the entry's mean turn."
    )


def offsets_table(facts: Facts) -> ReportTable:
    """Return the end offset of each partition, and the hash of each exported file."""
    heads = (
        TableHead("topic", "w stick"),
        TableHead("partition"),
        TableHead("up to offset"),
        TableHead("SHA-256", "w"),
    )
    rows = [
        TableRow(
            (
                name_cell(topic),
                plain(str(partition)),
                plain(formats.count(end)),
                TableCell(facts.records.get(topic, ""), css="w hash"),
            )
        )
        for topic, ends in facts.ends.items()
        for partition, end in sorted(ends.items())
    ]
    return ReportTable("Offsets", heads, tuple(rows), kind="fit")


def trading_entries(facts: Facts) -> list[int]:
    """Return the indices of entries with a fill, best first."""
    return [index for index in facts.order if facts.season.fills[index]]


def trading_costs(facts: Facts) -> tuple[tuple[str, list[float]], ...]:
    """Return the fees and the slippage of each entry that traded, in the unit of its equity."""
    season, trading = facts.season, trading_entries(facts)
    return (
        ("fees", [season.worth(n, lambda fill: fill.fee) for n in trading]),
        ("slippage", [season.worth(n, lambda fill: fill.slippage) for n in trading]),
    )


def latency_bps(facts: Facts, index: int) -> float:
    """Return the latency cost of an entry that traded, in basis points of its notional."""
    if not facts.season.parts:
        (only,) = currency_amounts(facts.season, index)
        return only.latency_usd / only.traded_usd * BPS
    notional = facts.season.worth(index, lambda fill: fill.notional)
    return facts.season.worth(index, lambda fill: fill.latency_cost) / notional * BPS


def _css(facts: Facts, index: int) -> str:
    kind = facts.season.entries[index].kind
    return kind if kind == "baseline" else ""


def _flip(found: Interval) -> Interval:
    return Interval(-found.estimate, -found.high, -found.low)
