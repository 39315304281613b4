"""The last lines of a contest: its verdict is among them, after tables that filled the screen."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from operations.commands import compete_end
from operations.commands.compete_monitor import End, Ending
from operations.commands.compete_progress import Tally
from operations.commands.supervised_run import Beginning
from operations.commands.numbered_steps import Steps

VERDICT = "Cannot separate #1-#3 (a, b, c). No agent is separated from buy_and_hold."


def test_a_contest_ends_with_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is printed on top of the leaderboard, and again where the screen ends."""
    monkeypatch.setattr(compete_end, "export_run", lambda *_: None)
    monkeypatch.setattr(compete_end, "_report", lambda _: f"{VERDICT}\n\nStandings\n  a\n")
    monkeypatch.setattr(
        compete_end, "outcome", lambda *_: {"account_digest": "5e", "report": "index.html"}
    )
    begin = cast(Beginning, SimpleNamespace(directory=tmp_path / "run"))
    steps = cast(Steps, SimpleNamespace(show=lambda _: None))
    ending = Ending(End.DONE, "", 12.0)
    compete_end.finish(begin, Tally(5, ["a", "b", "c"]), ending, steps, None)
    shown = capsys.readouterr().out

    assert 2 == shown.count(VERDICT)
    assert f"Verdict:  {VERDICT}" in shown.partition("Standings")[2]
