"""`scripts/setup` creates the environment once, and leaves none that is incomplete."""

import os
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import psutil
import pytest

from tests.operations.localbroker.processes import enable_ctrl_c

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60
SECOND_RUN_S_MAX = 0.3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the set-up script and empty locks."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("# nothing\n")
    return tmp_path


def set_up(project: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the script to its end."""
    return subprocess.run(
        [str(project / "scripts" / "setup"), *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_first_run_creates_the_environment_and_runs_the_command(project: Path) -> None:
    """The first run creates .venv and runs the command; the second only runs it, at once."""
    first = set_up(project, "runtime", ".venv/bin/python", "-c", "print('ran')")
    started = time.monotonic()
    second = set_up(project, "runtime", "sh", "-c", "exit 7")
    elapsed_s = time.monotonic() - started

    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith(" s\nran\n")
    assert (7, "") == (second.returncode, second.stdout)
    assert elapsed_s < SECOND_RUN_S_MAX

    # Extra packages are added to a complete .venv, which stays complete if they cannot be fetched.
    lock = project / "requirements-local-llm.txt"
    lock.write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")
    failed = set_up(project, "local-llm", "true", PIP_NO_INDEX="1")
    assert failed.returncode == 3
    assert "requirements-local-llm.txt could not be installed" in failed.stderr
    assert (0, "") == _outcome(set_up(project, "runtime", "true"))
    lock.write_text("# nothing\n")
    assert 0 == set_up(project, "local-llm").returncode
    for installed in ("requirements-optimise.txt", ".venv/.installed-optimise"):
        (project / installed).write_text("# nothing\n")
    assert (6, "") == _outcome(set_up(project, "optimise", "sh", "-c", "exit 6"))

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
    """SIGTERM or Ctrl-C removes the incomplete .venv and ends the started processes."""
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


def test_failed_install_has_a_remedy_and_leaves_nothing(project: Path) -> None:
    """A package that cannot be fetched ends with exit code 3, pip's output and a remedy."""
    (project / "requirements.txt").write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n")

    failed = set_up(project, "runtime", "true", PIP_NO_INDEX="1")

    assert failed.returncode == 3
    assert "no-such-thing" in failed.stderr
    assert "check the network" in failed.stderr
    assert not (project / ".venv").exists()


def test_old_python_is_an_error_with_a_remedy(project: Path, tmp_path: Path) -> None:
    """The message has the required version and how to install it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cmp", "dirname", "mktemp", "rm", "sed", "env"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)

    failed = set_up(project, "runtime", PATH=str(tools))

    assert failed.returncode == 3
    assert "no Python 3.11 or newer was found; install one" in failed.stderr


def test_unknown_level_is_a_usage_error(project: Path) -> None:
    """Without a level the script prints its usage and ends with exit code 2."""
    failed = set_up(project)

    assert failed.returncode == 2
    assert "scripts/setup runtime|dev" in failed.stderr


def test_extra_of_the_project_has_the_locked_versions() -> None:
    """`pip install trading-arena[optimise]` and `scripts/setup optimise` install the same."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = tables["optional-dependencies"]
    wanted = (ROOT / "requirements-optimise.in").read_text().splitlines()
    assert extra["optimise"] == [line.split()[0] for line in wanted if not line.startswith("#")]
    assert set(extra["optimise"]) <= set(extra["dev"])
    lock = (ROOT / "requirements-optimise.txt").read_text()
    assert all(f"{pin} " in lock for pin in extra["optimise"])


def _outcome(process: "subprocess.CompletedProcess[str]") -> tuple[int, str]:
    return process.returncode, process.stdout
