"""A storm over the whole house, with a fixed seed, in about a minute and a half."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from operations.storm import report

SEED = "6"
MINUTES = "1"
DEADLINE_S = 280


@pytest.mark.timeout(DEADLINE_S + 20)
def test_nothing_is_lost_or_doubled_in_a_storm(tmp_path: Path) -> None:
    """Every kind of fault comes, and every promise holds."""
    figures = tmp_path / "storm.json"
    argv = [sys.executable, "-m", "arena", "storm", "--seed", SEED, "--minutes", MINUTES]
    done = subprocess.run(
        [*argv, "--brokers", "1", "--plain", "--rate", "100", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    said = done.stdout + done.stderr
    assert figures.exists(), said
    document = json.loads(figures.read_text())
    assert 0 == done.returncode, said
    assert report.held(document)
    assert document["orders"] > 1_000
    assert sum(document["kills"].values()) >= 8
    assert document["broker_kills"] >= 1
    assert document["link_cuts"] >= 1
    assert document["duplicates"] > 20
