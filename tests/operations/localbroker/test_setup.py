"""`scripts/setup`: makes the environment once, and is not there half."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.operations.localbroker.processes import enable_ctrl_c

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60
SECOND_RUN_S_MAX = 0.3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the set-up script and locks that ask for nothing."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("# nothing\n")
    return tmp_path


def set_up(project: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The finished script."""
    return subprocess.run(
        [str(project / "scripts" / "setup"), *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_makes_it_once_then_runs_the_command(project: Path) -> None:
    """The first run makes .venv and runs the command; the second only runs it, at once."""
    first = set_up(project, "runtime", ".venv/bin/python", "-c", "print('ran')")
    started = time.monotonic()
    second = set_up(project, "runtime", "sh", "-c", "exit 7")
    elapsed_s = time.monotonic() - started

    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith(" s\nran\n")
    assert (7, "") == (second.returncode, second.stdout)
    assert elapsed_s < SECOND_RUN_S_MAX

    # Extra packages go into a whole .venv, and leave it whole where they cannot be had.
    lock = project / "requirements-local-llm.txt"
    lock.write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    failed = set_up(project, "local-llm", "true", PIP_NO_INDEX="1")
    assert failed.returncode == 3
    assert "requirements-local-llm.txt could not be installed" in failed.stderr
    assert (0, "") == _outcome(set_up(project, "runtime", "true"))
    lock.write_text("# nothing\n")
    assert 0 == set_up(project, "local-llm").returncode

    (project / "requirements.txt").write_text("# changed\n")
    third = set_up(project, "runtime", "true")
    assert "Python packages" in third.stdout
    assert (5, "") == _outcome(set_up(project, "local-llm", "sh", "-c", "exit 5"))

    (project / ".venv" / ".making").touch()
    healed = set_up(project, "dev", "true")
    assert healed.returncode == 0
    assert not (project / ".venv" / ".making").exists()
    assert "" == set_up(project, "runtime", "true").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_leaves_neither_process_nor_environment(
    project: Path, number: signal.Signals
) -> None:
    """SIGTERM or Ctrl-C in the middle removes the half-made .venv and ends what was started."""
    process = subprocess.Popen(
        [str(project / "scripts" / "setup"), "runtime"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=enable_ctrl_c,
    )
    deadline = time.monotonic() + DEADLINE_S
    while not (project / ".venv" / "bin").exists():
        assert time.monotonic() < deadline, "the set-up did not begin"
        time.sleep(0.01)
    started = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(number)
    process.wait(10)

    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert not (project / ".venv").exists()
    _, alive = psutil.wait_procs(started, timeout=5)
    assert [] == alive


def test_failed_install_tells_the_remedy_and_leaves_nothing(project: Path) -> None:
    """A package that cannot be had ends with 3, pip's own words and a remedy."""
    (project / "requirements.txt").write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")

    failed = set_up(project, "runtime", "true", PIP_NO_INDEX="1")

    assert failed.returncode == 3
    assert "no-such-thing" in failed.stderr
    assert "check the network" in failed.stderr
    assert not (project / ".venv").exists()


def test_old_python_is_told(project: Path, tmp_path: Path) -> None:
    """Where no Python is new enough the message names the version asked for and how to get it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cmp", "dirname", "mktemp", "rm", "sed", "env"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)

    failed = set_up(project, "runtime", PATH=str(tools))

    assert failed.returncode == 3
    assert "no Python 3.11 or newer was found; install one" in failed.stderr


def test_unknown_level_is_wrong_usage(project: Path) -> None:
    """Without a level the script prints its usage and ends with 2."""
    failed = set_up(project)

    assert failed.returncode == 2
    assert "scripts/setup runtime|dev" in failed.stderr


def _outcome(process: "subprocess.CompletedProcess[str]") -> tuple[int, str]:
    return process.returncode, process.stdout
