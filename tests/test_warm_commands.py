"""Commands of a warm process are commands of `python -m arena`, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house_lists import ROOMS
from tests.warm_commands import MODULES, ROOT, _forkserver, run_arena

ADDRESS = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "ARENA_PREFIX": "warm."}


@pytest.mark.parametrize(
    "words",
    [
        ("tools", "list"),
        ("tools", "call", "calculator", '{"expression": "9**9**9"}'),
        ("routers", "--agent", "a=cash@n", "--agent", "a=random@n"),
        ("status",),
        ("nothing",),
    ],
)
def test_command_ends_as_one_that_starts_python(words: tuple[str, ...], tmp_path: Path) -> None:
    """The exit code, the output and the errors are the same."""
    env = os.environ | ADDRESS | {"ARENA_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    cold = subprocess.run(
        [sys.executable, "-m", "arena", *words],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    warm = run_arena(*words, env=env)

    assert (cold.returncode, cold.stdout) == (warm.returncode, warm.stdout)
    assert cold.stderr == warm.stderr


def test_command_has_its_folder_and_environment(tmp_path: Path) -> None:
    """A relative home is in the folder; a variable of the test's process is not inherited."""
    (tmp_path / "home" / "runs" / "2026-11-21T09-12-03").mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "ARENA_HOME": "home"}

    done = run_arena("runs", "list", "--json", env=env, cwd=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert ["2026-11-21T09-12-03"] == [run["name"] for run in json.loads(done.stdout)]


def test_command_is_killed_after_its_time(tmp_path: Path) -> None:
    """The error has the output until then."""
    words = ("exchange", "--port", "0", "--products", "BTC-USD")

    with pytest.raises(subprocess.TimeoutExpired):
        run_arena(*words, env=os.environ | {"ARENA_HOME": str(tmp_path)}, timeout_s=0.5)


def test_fork_has_the_libraries_and_no_room(tmp_path: Path) -> None:
    """A forkserver ignores what it cannot import; a command must import its room itself."""
    out = tmp_path / "loaded.json"

    process = _forkserver().Process(target=write_modules, args=(str(out),))
    process.start()
    process.join()

    loaded = set(json.loads(out.read_text()))
    assert set(MODULES) <= loaded
    assert {"operations"} == loaded & set(ROOMS)
    assert not loaded & {"numpy", "sqlalchemy", "openai"}


def write_modules(path: str) -> None:
    """Write the names of the modules that this process has loaded."""
    names = sorted(sys.modules)
    Path(path).write_text(json.dumps(names))
