"""The leaderboard as plain text: verdict, standings, claims, costs and assumptions. Pure."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from itertools import zip_longest

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.messages import DeadEntry, Evaluation, LeaderboardRow
from arena.plural import counted
from arena.visible_text import one_line, visible_line
from judge.claim_text import claim_lines, promise_text
from judge.coached_rows import coached_text
from judge.formatting import (
    DASH,
    interval_text,
    joined_names,
    percent,
    rank_text,
)
from judge.verdict_text import MARKET, detectable_line, detectable_title, rank_note

CELL_CHARS_MAX = 80
LINE_CHARS_MAX = 1_000
VERDICT_CHARS_MAX = 10_000
PAIRS_SHOWN = 8
REPEATS_SHOWN = 20
P_BEST_NOTE = (
    "P(best): probability that the entrant is truly the best, shrunken towards an even field."
)
MARKET_NOTE = f"vs market: return less that of the {MARKET}, an index of all products."
COSTS_NOTE = (
    "gross: return of the season before fees and slippage; net: after them; net of LLM: after "
    "model calls too. Every turn is a decision or aborted: cut off by the end of its router."
)

TextColumn = tuple[str, Callable[[LeaderboardRow], str]]
_LEFT = {"agent", "strategy", "model", "data"}


def render_leaderboard(evaluation: Evaluation) -> str:
    """Return the evaluation as plain text; lines are bounded and safe for a terminal."""
    blocks = [one_line(evaluation.verdict, VERDICT_CHARS_MAX)]
    blocks.append(_block("Warnings", evaluation.warnings))
    if evaluation.rows:
        blocks.append(_standings(evaluation))
        blocks.append(_block("Claims", claims_block(evaluation)))
        blocks.append(_block(detectable_title(evaluation), detectables_block(evaluation)))
        blocks.append(_block("Repeats; the row of a cell holds their means", repeats(evaluation)))
        whole = ", of each whole account" if window_note(evaluation) else ""
        title = f"From gross to net, and conduct{whole}; amounts in {evaluation.currency}"
        blocks.append(
            f"{title}\n{_table(costs(evaluation.currency), evaluation.rows)}\n  {COSTS_NOTE}"
        )
        blocks += wallet_amounts(evaluation)
    blocks.append(_dead("Dead, not ranked", evaluation.dead))
    blocks.append(_dead("Not comparable, not ranked", evaluation.apart))
    blocks.append(_block("Design", evaluation.design))
    blocks.append(_block("Method", evaluation.method))
    blocks.append(_block("Assumptions", evaluation.assumptions))
    return "\n\n".join(block for block in blocks if block)


def claims_block(evaluation: Evaluation) -> tuple[str, ...]:
    """Return every claim with its look, then the promise; () without a claim."""
    lines = claim_lines(evaluation)
    return (*lines, f"Promise: {promise_text(evaluation)}.") if lines else ()


def detectables_block(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the detectable difference of each pair at the top, up to `PAIRS_SHOWN`."""
    found = evaluation.detectables
    lines = [detectable_line(pair) for pair in found[:PAIRS_SHOWN]]
    if (more := len(found) - PAIRS_SHOWN) > 0:
        lines.append(f"{counted(more, 'further pair')}: --json and figures.json list them.")
    return tuple(lines)


def repeats(evaluation: Evaluation) -> tuple[str, ...]:
    """Return a line for each cell: the returns of its repeats and their spread."""
    return tuple(repeats_line(row) for row in evaluation.rows if row.repeats)


def repeats_line(row: LeaderboardRow) -> str:
    """Return one cell: "momentum: 4 repeats, standard deviation 1.3 %: momentum-1 +2.0 %, ..."."""
    shown = [
        f"{one.agent} {percent(one.total_return, signed=True)}"
        for one in row.repeats[:REPEATS_SHOWN]
    ]
    if (more := len(row.repeats) - REPEATS_SHOWN) > 0:
        shown.append(f"and {more} more")
    spread = f", standard deviation {percent(row.repeat_sd)}" if row.repeat_sd is not None else ""
    return f"{row.agent}: {counted(len(row.repeats), 'repeat')}{spread}: {', '.join(shown)}"


def notes(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the notes below the standings, one sentence each."""
    unit = "annualised" if evaluation.sharpe_unit == "year" else "per period, not annualised"
    found = [rank_note(evaluation), window_note(evaluation), index_note(evaluation)]
    found += [contamination_note(evaluation), MARKET_NOTE, P_BEST_NOTE]
    found.append(chance_note(evaluation))
    return (*filter(None, found), f"Sharpe: of log returns, risk-free rate 0, {unit}.")


def index_note(evaluation: Evaluation) -> str:
    """Return what returns are of if accounts hold several currencies; "" if they hold one."""
    if not evaluation.wallets:
        return ""
    held = (evaluation.currency, *evaluation.wallets)
    return (
        "Returns, intervals, Sharpe and drawdown are of the wealth index: the mean over "
        f"{joined_names(held, len(held))} of equity over starting cash; nothing is converted."
    )


def chance_note(evaluation: Evaluation) -> str:
    """Return which entrants have no P(best), and why; "" if one reason covers every entrant."""
    why: dict[str, list[str]] = {}
    for row in evaluation.rows:
        if row.p_best is None and (reason := row.reasons.get("p_best")):
            why.setdefault(reason, []).append(row.agent)
    parts = [f"{joined_names(names)} ({reason})" for reason, names in why.items()]
    whole = len(why) == 1 and all(row.p_best is None for row in evaluation.rows)
    return "" if whole or not parts else f"No P(best): {'; '.join(parts)}."


def window_note(evaluation: Evaluation) -> str:
    """Return which snapshots are compared; "" if it is the whole season."""
    if not evaluation.compared_from and evaluation.compared >= evaluation.snapshots - 1:
        return ""
    if not evaluation.compared:
        return ""
    first = evaluation.compared_from + 1
    last = min(evaluation.compared_from + evaluation.compared, evaluation.snapshots)
    return (
        f"Compared: snapshots {first:,} to {last:,} of {evaluation.snapshots:,}, in which every "
        "entrant was present. Ranks, returns, intervals, vs market, P(best), Sharpe and repeats "
        "are for these snapshots; drawdown, equity, costs and conduct are for each whole account."
    )


def compared_return(row: LeaderboardRow, evaluation: Evaluation) -> float | None:
    """Return the row's return over the compared window, which its interval is for."""
    if row.compared_return is not None:
        return row.compared_return
    if window_note(evaluation) and row.return_interval is not None:
        return row.return_interval.value
    return row.total_return


def sharpe_text(row: LeaderboardRow, unit: str) -> str:
    """Return a Sharpe ratio with its interval, with the digits of its unit."""
    if row.sharpe is None:
        return DASH
    digits = 1 if unit == "year" else 3
    value, low, high = (
        f"{figure:+,.{digits}f}" for figure in (row.sharpe.value, row.sharpe.low, row.sharpe.high)
    )
    return f"{value} ({low} .. {high})"


def standings(evaluation: Evaluation) -> tuple[TextColumn, ...]:
    """Return the columns of the standings: rank, name, return and interval first."""
    unit = evaluation.sharpe_unit
    columns: list[TextColumn] = [
        ("rank", lambda row: rank_text(row.rank_low, row.rank_high)),
        ("agent", _name),
        ("return", lambda row: percent(compared_return(row, evaluation), signed=True)),
        *_contamination(evaluation),
        ("interval %", lambda row: interval_text(row.return_interval)),
        ("vs market", lambda row: percent(row.excess_return, signed=True)),
        ("P(best)", lambda row: _share(row.p_best)),
        (f"Sharpe/{unit}", lambda row: sharpe_text(row, unit)),
        ("drawdown", lambda row: percent(row.drawdown)),
        *_equities(evaluation),
        ("strategy", lambda row: row.strategy),
        ("model", _model),
    ]
    if any(row.cutoff for row in evaluation.rows):
        columns.append(("cut-off", lambda row: row.cutoff or DASH))
    return tuple(columns)


def _contamination(evaluation: Evaluation) -> tuple[TextColumn, ...]:
    """Return the label beside the return, if a model may have read about the prices."""
    if not any(row.contaminated for row in evaluation.rows):
        return ()
    return (("data", lambda row: row.contaminated or DASH),)


def contamination_note(evaluation: Evaluation) -> str:
    """Return what the label means; "" if no row has it."""
    if not any(row.contaminated for row in evaluation.rows):
        return ""
    return (
        "contaminated: the prices are of months up to the model's training cut-off, so its return "
        "may be memory; partly: the first of them are."
    )


def _equities(evaluation: Evaluation) -> tuple[TextColumn, ...]:
    """Return a column of equity per currency; with one currency its head has no name."""
    main, further = evaluation.currency, evaluation.wallets
    head = f"equity {main}" if further else "equity"
    return (
        (head, lambda row: _cash(row.equity_usd, main)),
        *((f"equity {unit}", partial(_wallet_equity, unit)) for unit in further),
    )


def _wallet_equity(currency: str, row: LeaderboardRow) -> str:
    found = (one.equity for one in row.wallets if one.currency == currency)
    return _cash(next(found, None), currency)


def wallet_amounts(evaluation: Evaluation) -> tuple[str, ...]:
    """Return a table of amounts for each further currency; () with one currency."""
    return tuple(
        f"Amounts in {currency}\n{_table(_wallet_columns(currency), evaluation.rows)}"
        for currency in evaluation.wallets
    )


def _wallet_columns(currency: str) -> tuple[TextColumn, ...]:
    def column(
        head: str, name: str, show: Callable[[Decimal | None, str], str]
    ) -> tuple[str, Callable[[LeaderboardRow], str]]:
        def cell(row: LeaderboardRow) -> str:
            own = next((one for one in row.wallets if one.currency == currency), None)
            return show(None if own is None else getattr(own, name), currency)

        return head, cell

    return (
        ("agent", _name),
        column("equity", "equity", _cash),
        column("fees", "fees", _cash),
        column("slippage", "slippage", _cash),
        column("latency", "latency", _gain),
        column("trades", "trades", lambda count, _: DASH if count is None else f"{count:,}"),
        column("biggest win", "biggest_win", _gain),
        column("biggest loss", "biggest_loss", _gain),
    )


def costs(currency: str = DEFAULT_CURRENCY) -> tuple[TextColumn, ...]:
    """Return the columns from gross to net, and of the agents' conduct."""
    return (
        ("agent", _name),
        ("gross", lambda row: percent(row.gross_return, signed=True)),
        ("fees", lambda row: _cash(row.fees_usd, currency)),
        ("slippage", lambda row: _cash(row.slippage_usd, currency)),
        ("latency", lambda row: _gain(row.latency_usd, currency)),
        ("net", lambda row: percent(row.total_return, signed=True)),
        ("LLM $", _llm),
        ("net of LLM", lambda row: percent(row.net_return, signed=True)),
        ("trades", lambda row: f"{row.trades:,}"),
        ("rejected", lambda row: f"{row.rejected:,}"),
        ("win rate", lambda row: _share(row.win_rate)),
        ("biggest win", lambda row: _gain(row.biggest_win_usd, currency)),
        ("biggest loss", lambda row: _gain(row.biggest_loss_usd, currency)),
        ("decisions", lambda row: f"{row.decisions:,}"),
        ("aborted", lambda row: f"{row.aborted:,}"),
        ("holds", lambda row: _share(row.hold_share)),
        ("invalid", lambda row: _share(row.invalid_rate)),
        ("skipped", lambda row: f"{row.skipped:,}"),
    )


def _standings(evaluation: Evaluation) -> str:
    title = f"Standings; intervals at {evaluation.confidence:.0%}"
    if evaluation.hold_return is not None:
        title += f"; {MARKET} {percent(evaluation.hold_return, signed=True)}"
    lines = [title, _table(standings(evaluation), evaluation.rows)]
    coached = (f"{row.agent}: {coached_text(row)}." for row in evaluation.rows if row.versions)
    found = (*notes(evaluation), *coached)
    return "\n".join((*lines, *(f"  {one_line(note, LINE_CHARS_MAX)}" for note in found)))


def _block(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join((title, *(f"  {one_line(line, LINE_CHARS_MAX)}" for line in lines)))


def _dead(title: str, entries: Sequence[DeadEntry]) -> str:
    return "\n".join((title, *_dead_lines(entries))) if entries else ""


def _dead_lines(dead: Sequence[DeadEntry]) -> list[str]:
    lines = []
    for one in dead:
        made = " x ".join(filter(None, (one.strategy, one.model or one.node)))
        turns = f"{one.decisions} of {one.recorded_turns} turns decided"
        line = f"{one.agent}  {made}  {one.kind}, {turns}: {one.cause}"
        lines.append(f"  {visible_line(line)}")
        if one.remedy:
            lines.append(f"    {one_line(one.remedy, LINE_CHARS_MAX)}")
    return lines


def _table(columns: Sequence[TextColumn], rows: Sequence[LeaderboardRow]) -> str:
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


def _name(row: LeaderboardRow) -> str:
    count = f" ({counted(len(row.repeats), 'repeat')})" if row.repeats else ""
    return f"{row.agent}{count}"


def _cash(amount: Decimal | None, currency: str) -> str:
    return DASH if amount is None else f"{amount:,.{cash_digits(currency)}f}"


def _gain(amount: Decimal | None, currency: str) -> str:
    return DASH if amount is None else f"{amount:+,.{cash_digits(currency)}f}"


def _llm(row: LeaderboardRow) -> str:
    return "unknown" if row.llm_usd is None else f"{row.llm_usd:,.4f}"


def _share(value: float | None) -> str:
    return DASH if value is None else f"{value:.0%}"


def _model(row: LeaderboardRow) -> str:
    name = row.model or row.node
    return f"{name} (scripted)" if row.scripted and "scripted" not in name else name
