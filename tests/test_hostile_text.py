"""Control characters in text of models and topics have no effect in any command or page."""

import io
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from arena import agent_health, findings
from arena.bus.base import Record
from arena.messages import DeadEntry, Evaluation, Halt
from arena.progress import Step
from arena.tables import print_table
from arena.wire import encode
from dashboard import text as dashboard_text
from dashboard.alerts import texts as alert_texts
from judge import leaderboard_text
from judge.report import formats as report_formats
from judge.report import tables
from ledger import cli_reconcile, compare, reconcile, render
from ledger.audit import checker, trace, trace_format, verify
from ledger.statements import Sheet
from operations.commands import messages_text, status_rows, tail_filter
from operations.commands.live_line import LiveLine
from operations.commands.numbered_steps import NumberedSteps

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOSTILE = (
    "x\u202e\u2066\u200b\u200d\ufeff\u00ad\x1b[31m\x1b]0;t\x07\x9b2J\x00\r\x0b\x85\u2028\ufff9"
    "\ufe0f\U000e0041\U000e0100\u3164" + "\u0301" * 50 + "[red]"
)
LINES = f"{HOSTILE}\nforged line {HOSTILE}"
CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def record(reason: str, *, as_json: bool) -> str:
    """Return what `arena tail` prints of a halt with this reason."""
    sent = encode(Halt(agent=None, reason=reason, by="x", at=NOW))
    found = Record("arena.control", 0, 0, 0, b"all", sent.value, dict(sent.headers))
    return str(tail_filter.record_line(found, tail_filter.RecordFilter(), as_json=as_json))


def row(text: str) -> status_rows.ProcessStatus:
    """Return the status row of a process that is down with this text."""
    return status_rows.ProcessStatus(text, text, text, 1, "down", 0.0, 0, {text: 1}, {}, text)


def printed(rows: Iterable[tuple[str, ...]], remark: str) -> str:
    """Return a table as printed to a pipe."""
    out = io.StringIO()
    print_table([("a", False)], rows, remarks=[remark], console=Console(file=out))
    return out.getvalue()


def drawn(text: str) -> str:
    """Return what the live line and the numbered steps print."""
    out = io.StringIO()
    line = LiveLine(out)
    line.print_above(text)
    line.end(text)
    NumberedSteps(out, first=1, names=["a"]).show(Step("a", text, finished=True))
    return out.getvalue()


def evaluation(text: str) -> str:
    """Return what the judge prints."""
    dead = DeadEntry(
        agent=text, kind="agent", strategy=text, node=text, model=text, cause=text, remedy=text,
        turns=1, decisions=0, recorded_turns=1,
    )  # fmt: skip
    found = Evaluation(
        evaluation_id="x", snapshot_id="x", snapshots=1, as_of=NOW, interval_s=60, confidence=0.9,
        seed=1, resamples=1, hold_return=None, detectable=None, verdict=text, rows=(),
        dead=(dead,), method=(text,), assumptions=(text,),
    )  # fmt: skip
    return leaderboard_text.render_leaderboard(found)


def reconciled(text: str) -> str:
    """Return what `arena reconcile run` prints of one figure."""
    line = compare.FigureComparison(compare.FigureKey(text, text, "USD"), 1, 2)
    return "\n".join(cli_reconcile.as_lines(reconcile.Reconciliation([line], {}, [text])))


def sheet(text: str) -> Sheet:
    """Return a statement with one cell."""
    return Sheet("x", (("agent", "text"),), [(text,)], [text])


RENDERERS: dict[str, Callable[[str], str]] = {
    "tail": lambda text: record(text, as_json=False),
    "tail --json": lambda text: record(text, as_json=True),
    "status": lambda text: "\n".join(status_rows.process_table([row(text)])),
    "dead": lambda text: status_rows.dead_line(agent_health.DeadAgent(text, text, 0, remedy=text)),
    "cause": agent_health.cause_line,
    "doctor": lambda text: "\n".join(
        findings.finding_lines([findings.broken(text, text, text)], colour=False)
    ),
    "demo": lambda text: "\n".join(
        messages_text.standings_table(
            {
                "agents": [{"agent": text, "strategy": text, "model": text, "apart": ""}],
                "dead": [{"agent": text, "cause": text, "remedy": text}],
            }
        )
    ),
    "table": lambda text: printed([(text,)], text),
    "live": drawn,
    "alerts": alert_texts.plain,
    "dashboard": dashboard_text.clean,
    "dashboard line": dashboard_text.one_line,
    "judge": evaluation,
    "report": lambda text: report_formats.quote(text, 500),
    "report.md": lambda text: tables.markdown_text(report_formats.quote(text, 500)),
    "ledger --csv": lambda text: render.as_csv(sheet(text)).replace("\r\n", "\n"),
    "ledger --json": lambda text: render.as_json(sheet(text)),
    "reconcile": reconciled,
    "audit trace": lambda text: "\n".join(
        trace_format.lines([trace.TraceStep(name="a", location=text, sha256="", summary=text)])
    ),
    "audit verify": lambda text: "\n".join(
        verify.result_lines(
            checker.InvariantResult(
                1, text, checker.InvariantStatus.FAIL, {text: 1},
                [checker.Violation(text, text, text, text)], 1, text, [text],
            )
        )
    ),
}  # fmt: skip
MANY_LINES = {"dashboard", "report", "ledger --csv"}
"""Renderers that keep line breaks: of paragraphs and quoted fields."""


@pytest.mark.parametrize("name", RENDERERS)
def test_no_renderer_prints_control_characters(name: str) -> None:
    """The output has no control, format or tag character, and no long run of marks."""
    shown = RENDERERS[name](LINES)

    assert [] == [c for c in shown if unicodedata.category(c) in CATEGORIES and c != "\n"]
    assert not any(c in shown for c in "\ufe0f\U000e0100\u3164")
    assert "\u0301" * 5 not in shown
    assert r"\u202e" in shown


@pytest.mark.parametrize("name", sorted(RENDERERS.keys() - MANY_LINES))
def test_no_line_can_be_forged(name: str) -> None:
    """A line break in a field does not start a new line."""
    shown = RENDERERS[name]("x\nforged")

    assert not [line for line in shown.splitlines() if line.startswith("forged")]
