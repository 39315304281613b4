"""Hostile files are refused with one clear line, within seconds and bounded memory."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pytest

from tests.hostile.run import OPENERS, create_all

SECONDS_MAX = 5.0
PEAK_MB_MAX = 300
GROWN_MB_MAX = 150
DEADLINE_S = 240.0
ROOT = Path(__file__).parents[2]
NAMES = [f"{kind}: {case.name}" for kind, (_, cases) in OPENERS.items() for case in cases]
CASES = {f"{kind}: {case.name}": case for kind, (_, cases) in OPENERS.items() for case in cases}


class CaseOutcome(TypedDict):
    """The outcome of a case, as `tests.hostile.run` prints it; `seconds` is CPU time."""

    code: int
    text: str
    seconds: float
    grown_mb: int
    peak_mb: int


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, CaseOutcome]:
    """The outcome of every hostile file, opened in a separate process."""
    root = tmp_path_factory.mktemp("hostile")
    create_all(root)
    words = [sys.executable, "-m", "tests.hostile.run", str(root)]
    process = subprocess.run(
        words, cwd=ROOT, capture_output=True, check=False, timeout=DEADLINE_S, text=True
    )
    assert 0 == process.returncode, process.stderr[-2_000:]
    document: Mapping[str, CaseOutcome] = json.loads(process.stdout)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_hostile_file_is_refused_with_one_line(
    name: str, outcomes: Mapping[str, CaseOutcome]
) -> None:
    """One line names the fault, the exit code is 1 or 2, and it takes seconds."""
    result, case = outcomes[name], CASES[name]
    lines = result["text"].strip().splitlines()

    assert result["seconds"] < SECONDS_MAX
    assert "Traceback" not in result["text"]
    assert "unexpected" not in result["text"]
    if name.startswith(("recording", "checkpoint")):
        assert re.search(case.expected, result["text"]), result["text"]
        assert "accepted" not in result["text"]
    elif name.startswith("bundle"):
        assert result["code"] in (1, 2)
        assert any("BROKEN" in line or line.startswith("arena: ") for line in lines)
        assert re.search(case.expected, result["text"]), result["text"]
    else:
        assert result["code"] in (1, 2)
        assert 1 == len(lines)
        assert re.search(case.expected, lines[0]), lines[0]


def test_hostile_files_take_bounded_memory(outcomes: Mapping[str, CaseOutcome]) -> None:
    """No file makes the audit larger than 300 MB, or a report much larger than an honest one."""
    peaks = {name: f["peak_mb"] for name, f in outcomes.items() if not name.startswith("report")}
    grown = {name: f["grown_mb"] for name, f in outcomes.items()}

    assert max(peaks.values()) < PEAK_MB_MAX, max(peaks.items(), key=lambda item: item[1])
    assert max(grown.values()) < GROWN_MB_MAX, max(grown.items(), key=lambda item: item[1])
