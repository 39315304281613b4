"""`arena doctor` checks the addresses of receivers, and sends nothing to them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from arena.settings import Settings
from tests.operations.commands.cli import environment

SECRET = "topsecret4711"
SPEC = """
[arena]
products = ["BTC-USD"]
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"
[alerts]
"""


def findings(tmp_path: Path, table: str | None, **variables: str) -> list[dict[str, str]]:
    """What the command finds about alerts."""
    words = ["doctor", "--quick", "--json"]
    if table is not None:
        (tmp_path / "ARENA.toml").write_text(SPEC + table)
        words.append(str(tmp_path / "ARENA.toml"))
    settings = Settings(bootstrap_servers="127.0.0.1:9", home=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "arena", *words],
        env=environment(settings) | variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert SECRET not in done.stdout + done.stderr
    return [one for one in json.loads(done.stdout) if one["check"] == "alerts"]


@pytest.mark.parametrize("table", [None, ""])
def test_receivers_are_checked_in_a_process_of_their_own(tmp_path: Path, table: str | None) -> None:
    """With and without a file; the address of each is good or not."""
    urls = f"json://127.0.0.1:9/{SECRET} nothing://{SECRET}"

    found = findings(tmp_path, table, ARENA_ALERTS=urls)

    assert ["ok", "broken"] == [one["state"] for one in found]
    assert "env:ARENA_ALERTS 2 (nothing)" in found[1]["detail"]


def test_file_of_others_is_broken(tmp_path: Path) -> None:
    """The finding names the file and the remedy."""
    path = tmp_path / "receivers"
    path.write_text(f"json://{SECRET}/")
    path.chmod(0o644)

    (found,) = findings(tmp_path, 'to = ["file:receivers"]')

    assert "broken" == found["state"]
    assert f"chmod 600 {path}" in found["detail"]


def test_alerts_without_receivers_are_a_warning(tmp_path: Path) -> None:
    """They are printed only; a machine without the variable has nothing to check."""
    (found,) = findings(tmp_path, "")

    assert "warning" == found["state"]
    assert [] == findings(tmp_path, None)
