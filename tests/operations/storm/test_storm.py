"""A storm over the whole arena, with a fixed seed, in about a minute and a half."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from operations.storm import report
from operations.storm.fault_plan import KIND_OF
from operations.storm.postgres import unavailable_reason as why_no_postgres
from operations.storm.proxy_client import unavailable_reason as why_no_links

SEED = "9"
MINUTES = "1"
DEADLINE_S = 400


@pytest.mark.timeout(DEADLINE_S + 20)
def test_nothing_is_lost_or_doubled_in_a_storm(tmp_path: Path) -> None:
    """Every kind of process is killed, every kind of fault is injected, every promise holds."""
    figures = tmp_path / "storm.json"
    argv = [sys.executable, "-m", "arena", "storm", "--seed", SEED, "--minutes", MINUTES]
    done = subprocess.run(
        [*argv, "--brokers", "1", "--plain", "--rate", "40", "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    said = done.stdout + done.stderr
    assert figures.exists(), said
    document = json.loads(figures.read_text())
    assert 0 == done.returncode, said
    assert report.all_promises_held(document)
    assert document["orders"] > 1_000
    assert document["poison"] > 10, said
    wanted = set(KIND_OF.values()) - ({"ledger-postgres"} if why_no_postgres() else set())
    assert wanted <= {kind for kind, count in document["kills"].items() if count}, said
    links = [] if why_no_links() else ["link_cuts"]
    for name in ("freezes", "broker_kills", "full_disks", "clock_jumps", "garbage", *links):
        assert document[name] > 0, f"{name}: {said}"
    for name in ("duplicates", "reordered"):
        assert document[name] > 20, f"{name}: {said}"
