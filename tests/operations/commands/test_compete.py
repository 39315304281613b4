"""`arena compete run` with real processes on a real Kafka: exact, even if processes are killed."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from arena.runs import SPEC_FILE, read_run
from arena.settings import Settings
from operations.commands.compete_start import resume_contest
from operations.specs.arena_spec import load_spec
from tests.operations.commands.contests import (
    DEADLINE_S,
    Contests,
    is_started,
    is_trading,
    wait_for,
)
from tests.operations.commands.test_demo import require_nothing_left, started_from

SNAPSHOTS = 12
AGENTS = ("scalper-rules", "buy-and-hold", "random")
BASELINES = 'baselines = ["buy_and_hold", "random"]'
SPEC = f"""\
[arena]
name = "small"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = {SNAPSHOTS}
strategies = ["scalper"]
models = ["rules"]
{BASELINES}
judge = false
"""
WITH_BASELINES_ONLY = f"""\
[arena]
name = "baselines"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "replay"

[competition]
snapshots = {SNAPSHOTS}
{BASELINES}
judge = false
"""


def stopped(process: "subprocess.Popen[str]", number: signal.Signals) -> str:
    """Signal the process group of a contest; return the contest's output at its end."""
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=DEADLINE_S)
    return output


def require_stopped(
    process: "subprocess.Popen[str]", output: str, directory: Path, *, code: int, cause: str
) -> None:
    """Require that the output of a stopped contest says why, and how to continue."""
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert f"Stopped by {cause}; no process is left." in output
    assert f"compete run --resume {directory.name}" in output


@pytest.fixture
def contests(settings: Settings, tmp_path: Path) -> Contests:
    """Contests in a separate home, on the session's broker."""
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return Contests(settings, path)


@pytest.fixture(scope="module")
def undisturbed(broker_address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a contest without kills."""
    home = tmp_path_factory.mktemp("undisturbed")
    settings = Settings(bootstrap_servers=broker_address, prefix="compete.", home=home)
    (home / "small.toml").write_text(SPEC)
    return Contests(settings, home).outcome(str(home / "small.toml"))


@pytest.mark.timeout(200)
def test_every_run_ends_with_the_same_accounts(
    contests: Contests, undisturbed: dict[str, Any]
) -> None:
    """Each kind of node is killed -9 during the contest; the accounts are identical."""
    killed: list[str] = []

    def kill_each() -> None:
        directory, _ = contests.run_when(is_started)
        wait_for(lambda: is_trading(directory))
        run = read_run(directory)
        assert run is not None
        for process in run.processes:
            assert process.pid is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.name)

    outcome = contests.outcome(str(contests.spec), meddle=kill_each)

    assert undisturbed["ended"] == outcome["ended"] == "done"
    assert (outcome["snapshots"], outcome["agents"]) == (SNAPSHOTS, list(AGENTS))
    assert outcome["turns"] == SNAPSHOTS * len(AGENTS)
    assert {"connector", "tools", "chat-node-rules", "routers-entrants-1"} <= set(killed)
    assert outcome["restarts"] >= len(killed) - 1
    assert outcome["account_digest"] == undisturbed["account_digest"]


@pytest.mark.timeout(200)
def test_kill_9_of_the_contest_itself_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """No process outlives it; `--resume` continues with its broker, to the same accounts."""
    home = tmp_path / "home"
    home.mkdir()
    spec = home / "small.toml"
    spec.write_text(SPEC)
    contests = Contests(Settings(home=home), spec, own_broker=True)
    process = contests.start(str(spec))
    try:
        directory, _ = contests.run_when(is_started)
        wait_for(lambda: is_trading(directory))
        process.kill()
        process.communicate()
        wait_for(lambda: not started_from(home))
        cut = read_run(directory)

        outcome = contests.outcome("--resume", directory.name)
    finally:
        for left in started_from(home):
            with contextlib.suppress(psutil.Error):
                left.kill()

    assert cut is not None
    assert (cut.ended_at, cut.is_running()) == (None, False)
    assert (outcome["run"], outcome["ended"]) == (directory.name, "done")
    assert outcome["turns"] == SNAPSHOTS * len(AGENTS)
    assert outcome["account_digest"] == undisturbed["account_digest"]
    require_nothing_left(home)


@pytest.mark.timeout(200)
def test_contest_stopped_by_ctrl_c_is_resumed_to_the_same_accounts(
    contests: Contests, undisturbed: dict[str, Any]
) -> None:
    """The records stay, and the printed command ends with the same accounts."""
    with contests.trading() as (process, directory):
        output = stopped(process, signal.SIGINT)

    require_stopped(process, output, directory, code=130, cause="Ctrl-C")
    outcome = contests.outcome("--resume", directory.name)
    assert outcome["account_digest"] == undisturbed["account_digest"]


@pytest.mark.timeout(200)
def test_contest_can_be_resumed_after_sigterm_but_not_while_it_runs(contests: Contests) -> None:
    """A second resume would start every process twice."""
    with contests.trading("--snapshots", "5000") as (process, directory):
        second = contests.start("--resume", directory.name)
        refused, _ = second.communicate(timeout=DEADLINE_S)
        output = stopped(process, signal.SIGTERM)

    assert second.returncode == 2
    assert f"is running (pid {process.pid})" in refused
    require_stopped(process, output, directory, code=143, cause="SIGTERM")
    assert resume_contest(directory.name, contests.settings).resumed is not None


@pytest.mark.timeout(200)
def test_node_that_refuses_its_flags_ends_the_contest(contests: Contests) -> None:
    """The contest could never end: exit code 1, the reason, and how to continue after a fix."""
    text = SPEC.replace(BASELINES, "baselines = []").replace('"scalper"', '"genius.toml"')
    contests.spec.write_text(text)
    contests.spec.with_name("genius.toml").write_text('name = "genius"\n')
    process = contests.start(str(contests.spec))
    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1, output
    assert "could not be kept running: it refused its configuration" in output
    assert "genius.toml lacks prompt" in output


@pytest.mark.timeout(200)
def test_recorded_prices_replace_those_of_the_specification(
    contests: Contests, shared_recordings: Path
) -> None:
    """`--prices FOLDER`: the same contest on recorded prices, which the run keeps."""
    folder = shared_recordings / "candles" / "normalized"
    contests.spec.write_text(WITH_BASELINES_ONLY)

    outcome = contests.outcome(str(contests.spec), "--prices", str(folder), "--snapshots", "5")

    spec = load_spec(Path(outcome["directory"]) / SPEC_FILE)
    assert (outcome["ended"], outcome["turns"]) == ("done", 5 * 2)
    assert spec.arena.products == ("BTC-USD", "ETH-USD", "LTC-USD")
    assert all(Path(path).parent == folder.resolve() for path in spec.market.prices)
