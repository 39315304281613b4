"""The last lines of a contest repeat its verdict, after tables that filled the screen."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from operations.commands import compete_end
from operations.commands.compete_monitor import ContestEnd, EndReason
from operations.commands.compete_progress import ContestProgress
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.supervised_run import RunSetup

VERDICT = "Cannot separate #1-#3 (a, b, c). No agent is separated from buy_and_hold."


def test_last_lines_repeat_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is printed above the leaderboard, and again at the end."""
    monkeypatch.setattr(compete_end, "export_run", lambda *_: None)
    monkeypatch.setattr(compete_end, "_started_report", lambda _: nullcontext())
    printed = f"{VERDICT}\n\nStandings\n  a\n"
    monkeypatch.setattr(compete_end, "_leaderboard", lambda *_: printed)
    monkeypatch.setattr(
        compete_end, "contest_document", lambda *_: {"account_digest": "5e", "report": "index.html"}
    )
    figures = tmp_path / "run" / "report" / "figures.json"
    figures.parent.mkdir(parents=True)
    figures.write_text('{"evaluation": {"rows": []}}')
    setup = cast(RunSetup, SimpleNamespace(directory=tmp_path / "run"))
    steps = cast(NumberedSteps, SimpleNamespace(show=lambda _: None))
    ending = ContestEnd(EndReason.DONE, "", 12.0)
    compete_end.finish_contest(setup, ContestProgress(5, ["a", "b", "c"]), ending, steps, None)
    shown = capsys.readouterr().out

    assert 2 == shown.count(VERDICT)
    assert f"Verdict:  {VERDICT}" in shown.partition("Standings")[2]
