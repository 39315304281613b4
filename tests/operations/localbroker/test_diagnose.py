"""Causes and remedies from the log of a broker that ended."""

from pathlib import Path

import pytest

from operations.localbroker.diagnose import CAUSES, explain_exit, read_tail


def explain(log_text: str) -> str:
    """Return the error for a broker with this log and exit code 1."""
    error = explain_exit(
        log_text, exit_code=1, bootstrap="h:1", data_dir="/d", log_file="/d/server.log"
    )
    assert error.exit_code == 3
    return str(error)


@pytest.mark.parametrize("sign", [cause.sign for cause in CAUSES])
def test_known_cause_has_a_remedy_and_the_log(sign: str) -> None:
    """Each known sign gives a message with a remedy and the log's name, all fields filled in."""
    text = explain(f"2026-11-21 INFO fine\n2026-11-21 FATAL {sign}: something\n")

    assert text.startswith("the local broker did not start: ")
    assert text.endswith("(log: /d/server.log)")
    assert "{" not in text


def test_full_disk_names_the_directory() -> None:
    """The message has the directory and the variable that changes it."""
    assert "the disk that holds /d is full; free some space" in explain("No space left on device")


def test_unknown_cause_shows_the_end_of_the_log() -> None:
    """Without a known cause the last lines are shown, up to a limit."""
    text = explain("\n".join(f"line {n} {'x' * 1000}" for n in range(100)))

    assert "ended with code 1" in text
    assert "line 99" in text
    assert "line 50" not in text
    assert len(text) < 4000


def test_tail_starts_at_the_start_of_the_broker(tmp_path: Path) -> None:
    """Only what was written since the start is read; a rotated file is read from its beginning."""
    log = tmp_path / "server.log"
    log.write_text("old\nnew\n")

    assert read_tail(log, 4) == "new\n"
    assert read_tail(log, 400) == "old\nnew\n"
    assert read_tail(tmp_path / "none") == ""
