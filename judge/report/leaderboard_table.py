"""The report's leaderboard: one row per entrant; rank, return and interval come first. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from arena.currency import cash_digits
from arena.messages import Evaluation, LeaderboardRow
from arena.plural import counted
from judge.coached_rows import coached_text
from judge.leaderboard_text import compared_return, index_note, window_note
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, entrant_text
from judge.report.tables import (
    ReportTable,
    TableCell,
    TableHead,
    TableRow,
    name_cell,
    notes_of,
    plain,
)
from judge.verdict_text import MARKET, rank_note

REASON_MAX = 300
INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class LeaderboardColumn:
    """A column of the leaderboard.

    Attributes:
        head: Head of the column.
        cell: Returns the cell of a row.
        field: Field of the row, to look up the reason if it is None.
    """

    head: TableHead
    cell: Callable[[LeaderboardRow], TableCell]
    field: str = ""


def leaderboard_table(
    evaluation: Evaluation, links: Mapping[str, str], more: tuple[str, ...] = ()
) -> ReportTable:
    """Return the table of all entrants, best return first.

    Args:
        evaluation: The evaluation to show.
        links: Name of an agent -> HTML id of its section.
        more: Lines below the table.
    """
    columns = _columns(evaluation)
    heads = (
        TableHead("entry", "w stick", up=True),
        *(column.head for column in columns),
    )
    rows = [
        TableRow(
            (_entrant(row, links), *(column.cell(row) for column in columns)),
            row.kind if row.kind == "baseline" else "",
        )
        for row in evaluation.rows
    ]
    why = (
        (
            INTERVAL if column.field == "return_interval" else column.head.text,
            formats.quote(row.agent, NAME_MAX),
            formats.quote(reason, REASON_MAX),
        )
        for row in evaluation.rows
        for column in columns
        if (reason := row.reasons.get(column.field))
    )
    return ReportTable(
        "Leaderboard",
        heads,
        tuple(rows),
        sortable=True,
        kind="leaderboard",
        notes=(*more, *notes_of(why)),
    )


def leaderboard_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the lines about ranks, window and index that are shown below the table."""
    found = (rank_note(evaluation), window_note(evaluation), index_note(evaluation))
    return tuple(filter(None, found))


def _entrant(row: LeaderboardRow, links: Mapping[str, str]) -> TableCell:
    name = formats.quote(row.agent, NAME_MAX)
    what = formats.quote(entrant_text(row), 2 * NAME_MAX)
    if row.versions:
        what += f"; {coached_text(row)}"
    if not row.repeats:
        return name_cell(name, what, links.get(row.agent, ""))
    spread = "" if row.repeat_sd is None else f", spread {formats.share(row.repeat_sd, 2)}"
    return TableCell(
        name,
        under=what,
        head=True,
        fold=f"{counted(len(row.repeats), 'repeat')}{spread}",
        folded=tuple(
            (
                formats.quote(one.agent, NAME_MAX),
                formats.change(one.total_return),
                links.get(one.agent, ""),
            )
            for one in row.repeats
        ),
    )


def _ranks(row: LeaderboardRow) -> TableCell:
    text = formats.ranks(row.rank_low, row.rank_high)
    return TableCell(text, value=row.rank_low + row.rank_high / 1e4)


def _return(evaluation: Evaluation) -> Callable[[LeaderboardRow], TableCell]:
    def cell(row: LeaderboardRow) -> TableCell:
        found, shown = row.return_interval, compared_return(row, evaluation)
        under = "" if found is None else formats.spread(found.low * 100, found.high * 100, 2)
        return TableCell(formats.change(shown), under, value="" if shown is None else shown)

    return cell


def _sharpe(unit: str) -> Callable[[LeaderboardRow], TableCell]:
    digits = 1 if unit == "year" else 3

    def cell(row: LeaderboardRow) -> TableCell:
        found = row.sharpe
        if found is None:
            return plain(formats.UNKNOWN, None)
        under = formats.spread(found.low, found.high, digits)
        return TableCell(formats.number(found.value, digits), under, "", found.value)

    return cell


def _of(
    text: str,
    name: str,
    form: Callable[[float | None], str],
    note: str = "",
    *,
    up: bool = False,
) -> LeaderboardColumn:
    """Return a column for one field of the row; if it is unknown, the notes give the reason."""

    def cell(row: LeaderboardRow) -> TableCell:
        found = getattr(row, name)
        value = None if found is None else float(found)
        return plain(form(value), value)

    return LeaderboardColumn(TableHead(text, note=note, up=up), cell, name)


def _columns(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    """Return the columns: rank, return and interval, then costs, then trades and conduct."""
    return (
        *_return_columns(evaluation),
        *_cost_columns(evaluation),
        *_conduct_columns(evaluation),
        *_wallet_columns(evaluation),
    )


def _whole(evaluation: Evaluation) -> str:
    """Return the label of figures that are not of the compared part alone."""
    return ", of the whole account" if window_note(evaluation) else ""


def _contamination(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    """Return the label beside the return, if a model may have read about the prices."""
    if not any(row.contaminated for row in evaluation.rows):
        return ()
    note = "contaminated: prices of months up to the model's training cut-off; partly: the first"
    return (
        LeaderboardColumn(
            TableHead("data", note=note),
            lambda row: TableCell(row.contaminated, value=row.contaminated),
        ),
    )


def _return_columns(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    unit, level = evaluation.sharpe_unit, f"{evaluation.confidence:.0%}"
    sharpe = "annualised" if unit == "year" else "per period, as the season is under 30 days"
    whole = _whole(evaluation)
    return (
        LeaderboardColumn(
            TableHead("ranks", note="every rank that the evidence leaves open", up=True), _ranks
        ),
        LeaderboardColumn(
            TableHead("return", note=f"net of fees and slippage, with its {level} interval"),
            _return(evaluation),
            "return_interval",
        ),
        *_contamination(evaluation),
        _of(
            "vs market",
            "excess_return",
            formats.change,
            f"return less that of the {MARKET}, an index of all products",
        ),
        _of(
            "P(best)",
            "p_best",
            formats.share,
            "probability that it is truly the best, shrunken towards an even field",
        ),
        LeaderboardColumn(
            TableHead(f"Sharpe a {unit}", note=f"of log returns, {sharpe}, with its interval"),
            _sharpe(unit),
            "sharpe",
        ),
        _of(
            "max drawdown",
            "drawdown",
            formats.share,
            f"deepest fall below an earlier peak{whole}",
            up=True,
        ),
    )


def _wallet_columns(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    """Return the columns of amounts in further currencies; () with one currency."""
    shown = (
        ("fees", "fees", formats.money, ""),
        ("slippage", "slippage", formats.money, ""),
        ("latency cost", "latency", formats.gain, ""),
        ("equity", "equity", formats.money, ", at the season's end"),
        ("biggest win", "biggest_win", formats.gain, ""),
        ("biggest loss", "biggest_loss", formats.gain, ""),
    )
    return tuple(
        LeaderboardColumn(
            TableHead(f"{text} {unit}", note=f"in {unit}{more}"), _wallet_cell(unit, name, form)
        )
        for unit in evaluation.wallets
        for text, name, form, more in shown
    )


def _unit(evaluation: Evaluation) -> str:
    """Return what the heads of main amounts end with: their currency if there are several."""
    return f" {evaluation.currency}" if evaluation.wallets else ""


def _wallet_cell(
    currency: str, name: str, form: Callable[..., str]
) -> Callable[[LeaderboardRow], TableCell]:
    def cell(row: LeaderboardRow) -> TableCell:
        own = next((one for one in row.wallets if one.currency == currency), None)
        found = None if own is None else getattr(own, name)
        value = None if found is None else float(found)
        return plain(form(value, cash_digits(currency)), value)

    return cell


def _cost_columns(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    digits, unit_note = cash_digits(evaluation.currency), f"in {evaluation.currency}"
    cash, change = partial(formats.money, digits=digits), partial(formats.gain, digits=digits)
    unit = _unit(evaluation)
    whole = _whole(evaluation)
    return (
        _of("gross", "gross_return", formats.change, f"return before fees and slippage{whole}"),
        _of(f"fees{unit}", "fees_usd", cash, unit_note),
        _of(f"slippage{unit}", "slippage_usd", cash, unit_note),
        _of(
            f"latency cost{unit}",
            "latency_usd",
            change,
            f"{unit_note}, lost against the price it saw; a negative one is a gain",
        ),
        _of(
            "net", "total_return", formats.change, f"return after fees, slippage and latency{whole}"
        ),
        _of("LLM $", "llm_usd", formats.llm_usd, "model calls, replayed ones too"),
        _of(
            "net of LLM",
            "net_return",
            formats.change,
            f"net, less the cost of the model calls{whole}",
        ),
        _of(f"equity{unit}", "equity_usd", cash, f"{unit_note}, at the season's end"),
    )


def _conduct_columns(evaluation: Evaluation) -> tuple[LeaderboardColumn, ...]:
    digits, unit_note = cash_digits(evaluation.currency), f"in {evaluation.currency}"
    change, unit = partial(formats.gain, digits=digits), _unit(evaluation)
    found = [
        _of("win rate", "win_rate", formats.share, "of closed trades"),
        _of(f"biggest win{unit}", "biggest_win_usd", change, unit_note),
        _of(f"biggest loss{unit}", "biggest_loss_usd", change, unit_note),
        _of("trades", "trades", formats.count),
        _of("rejected", "rejected", formats.count),
        _of("decisions", "decisions", formats.count),
        _of(
            "invalid",
            "invalid_rate",
            formats.share,
            "decisions with an output that could not be used",
        ),
        _of("holds", "hold_share", formats.share, "the model decided, without an order"),
        _of(
            "deflated Sharpe",
            "dsr",
            formats.share,
            "probability that the true Sharpe ratio is above the best of so many without skill",
        ),
    ]
    if any(row.cutoff for row in evaluation.rows):
        found.append(
            LeaderboardColumn(
                TableHead("cut-off", note="end of the model's training data"),
                lambda row: TableCell(row.cutoff or formats.UNKNOWN, value=row.cutoff),
            )
        )
    return tuple(found)
