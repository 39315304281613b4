"""Every command ends with one line, for any error."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.command_exit import report_error
from tests.operations.localbroker.processes import enable_ctrl_c

DEADLINE_S = 60
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def run(
    tmp_path: Path,
    *words: str | bytes,
    environ: dict[str, str] | None = None,
    before: Callable[[], None] = enable_ctrl_c,
    to: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run `arena` with a separate home."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ARENA_", "KAFKA_"))}
    with open(to or os.devnull, "wb") as opened:
        return subprocess.run(
            [sys.executable, "-m", "arena", *words],
            env=clean | {"ARENA_HOME": str(tmp_path / "home"), **NOWHERE, **(environ or {})},
            stdout=opened if to else subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before,
            timeout=DEADLINE_S,
            check=False,
        )


def one_line_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """The only line on standard error."""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("arena: ")
    return line


@pytest.mark.parametrize(
    ("words", "environ", "code", "message"),
    [
        (["status"], {}, 3, "127.0.0.1:1"),
        (["status"], {"ARENA_LOG_LEVEL": "loud"}, 2, "ARENA_LOG_LEVEL"),
        (["status"], {"ARENA_HEARTBEAT_INTERVAL_S": "inf"}, 2, "ARENA_HEARTBEAT_INTERVAL_S"),
        (["status"], {"ARENA_STUCK_S": "1e300"}, 2, "less than or equal to 86400"),
        (["broker", "start"], {"ARENA_HOME": __file__}, 3, f"{__file__}/kafka: Not a directory"),
        (["status"], {"ARENA_ACCESS": "{"}, 2, "ARENA_ACCESS"),
        (["status"], {"KAFKA_BOOTSTRAP_SERVERS": "a:b:c"}, 2, "'a:b:c' is not the address"),
        (["tail", "--wrong"], {}, 2, "see arena tail --help"),
        (["nonsense"], {}, 2, "nonsense"),
        (["status", b"\xff"], {}, 2, "argument 2"),
    ],
)
def test_command_ends_in_one_line(
    tmp_path: Path, words: list[str | bytes], environ: dict[str, str], code: int, message: str
) -> None:
    """Wrong usage and a missing broker: cause, remedy and exit code, without a traceback."""
    done = run(tmp_path, *words, environ=environ)

    assert code == done.returncode
    assert message in one_line_of(done)


@pytest.mark.parametrize("words", [("tools", "list"), ("tools", "call", "calculator")])
def test_full_disk_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Output that does not fit is an error, even for a command that ends early."""
    done = run(tmp_path, *words, to="/dev/full")

    assert 3 == done.returncode
    assert "standard output" in one_line_of(done)


def test_closed_streams_are_null_device(tmp_path: Path) -> None:
    """A command whose streams are closed does its work and prints nothing."""
    done = run(tmp_path, "--version", before=lambda: os.closerange(0, 3))

    assert (0, b"") == (done.returncode, done.stderr)


def test_too_many_open_files_is_explained(tmp_path: Path) -> None:
    """Too few open files end a command in one line."""
    limit = (12, 12)
    done = run(
        tmp_path,
        *("tools", "call", "calculator"),
        before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit),
    )

    assert 3 == done.returncode
    assert "ulimit" in one_line_of(done)


PROGRAM = """
import sys
from arena.command_exit import run_command
def command():
    {0}
sys.argv = ["arena", "x"]
run_command(command)
"""


def program(
    tmp_path: Path, body: str, before: Callable[[], None] = enable_ctrl_c, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that consists of these statements."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body)],
        env=os.environ | {"ARENA_HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        preexec_fn=before,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "is_home"),
    [("home/runs/x", True), ("home", True), (".", True), ("x.toml", False), ("homes/x", False)],
)
def test_arena_home_is_the_remedy_only_for_a_path_in_it(
    name: str,
    is_home: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A specification or a key that cannot be read has nothing to do with ARENA_HOME."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))

    code = report_error(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / name)))

    assert 2 == code
    assert is_home is ("ARENA_HOME" in capsys.readouterr().err)


def test_unexpected_error_is_one_line_and_report_file(tmp_path: Path) -> None:
    """An unexpected error names the file with the details; neither contains a secret."""
    body = r'raise ValueError("a\nb \u202e planted-secret")'
    done = program(tmp_path, body, SOME_API_KEY="planted-secret")
    (file,) = (tmp_path / "errors").iterdir()

    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert r"unexpected ValueError: a b \u202e ***" in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" in file.read_text()
    assert "planted" not in file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777


def test_out_of_memory_while_explaining_is_explained(tmp_path: Path) -> None:
    """If the explanation itself runs out of memory, one line is printed."""
    body = (
        "import arena.error_causes\n"
        "    def fail(_): raise MemoryError\n"
        "    arena.error_causes.explain_error = fail\n"
        "    raise MemoryError"
    )
    done = program(tmp_path, body)

    assert 3 == done.returncode
    assert "arena: this machine has too little free memory" in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_debug_variable_prints_traceback(tmp_path: Path) -> None:
    """ARENA_DEBUG=1 prints the traceback as well."""
    assert "Traceback" in program(tmp_path, "raise OSError(28, 'full')", ARENA_DEBUG="1").stderr


@pytest.mark.parametrize(
    "body",
    [
        'print("\\u202e\\x1b[31m\\U000e0041\\ud800")',
        'print("\\u202e\\x1b[31m\\U000e0041\\ud800", file=sys.stderr)',
        'sys.stdout.write("\\u202e\\x1b[31m\\U000e0041\\ud800\\n")',
    ],
)
def test_printed_control_characters_are_escaped(tmp_path: Path, body: str) -> None:
    """For any printing and either stream, invisible characters are escaped."""
    done = program(tmp_path, body)

    assert "\\u202e\\u001b[31m\\U000e0041\\ud800\n" == done.stdout + done.stderr


def test_unencodable_output_does_not_end_command(tmp_path: Path) -> None:
    """Characters that ASCII lacks are escaped."""
    done = program(tmp_path, 'print("\\u2502")', PYTHONIOENCODING="ascii")

    assert (0, "\\u2502\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize("body", ["raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 2)"])
def test_ctrl_c_prints_nothing(tmp_path: Path, body: str) -> None:
    """An interrupt is exit code 130 without output."""
    done = program(tmp_path, body)

    assert (130, "") == (done.returncode, done.stderr)


ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_signal_ends_a_command_through_its_clean_up(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """A command without a signal handler cleans up and prints nothing."""
    body = (
        "import os, time\n"
        "    try:\n"
        f"        os.kill(os.getpid(), {number:d}); time.sleep({DEADLINE_S})\n"
        "    finally:\n"
        "        print('cleaned')"
    )
    done = program(tmp_path, body)

    assert (code, "cleaned\n", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_signal_ends_a_command_that_is_still_loading(number: signal.Signals, code: int) -> None:
    """Before anything listens, the exit code is the same, and nothing is printed."""
    body = (
        "import os, sys, time; sys.argv = ['arena']; import arena.__main__;"
        f" os.kill(os.getpid(), {number:d}); time.sleep({DEADLINE_S})"
    )
    done = subprocess.run(
        [sys.executable, "-c", body],
        capture_output=True,
        preexec_fn=enable_ctrl_c,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (code, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_signal_during_an_import_is_not_swallowed(tmp_path: Path) -> None:
    """A library that catches everything as it is imported does not keep a command running."""
    (tmp_path / "greedy.py").write_text(
        "import os\ntry: os.kill(os.getpid(), 15)\nexcept BaseException: print('swallowed')\n"
    )
    body = f"import time, greedy; time.sleep({DEADLINE_S})"
    done = program(tmp_path, body, PYTHONPATH=str(tmp_path) + os.pathsep + os.getcwd())

    assert (143, "", "") == (done.returncode, done.stdout, done.stderr)


def test_command_under_nohup_survives_hangup(tmp_path: Path) -> None:
    """A signal that was ignored when the command began stays ignored."""
    body = (
        "import os\n"
        "    from arena.node import run_async\n"
        "    from operations.processes.stop_signals import StopSignals\n"
        "    async def main(): os.kill(os.getpid(), 1)\n"
        "    os.kill(os.getpid(), 1)\n"
        "    with StopSignals() as signals: os.kill(os.getpid(), 1)\n"
        "    print(signals.received)\n"
        "    run_async(main)"
    )
    done = program(tmp_path, body, before=lambda: ignore(signal.SIGHUP))

    assert (0, "None\n", "") == (done.returncode, done.stdout, done.stderr)


def ignore(number: signal.Signals) -> None:
    """What nohup does for SIGHUP."""
    signal.signal(number, signal.SIG_IGN)


def test_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    """`| head` ends a command quietly."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format('[print("x" * 999) for _ in range(9_999)]')],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"ARENA_HOME": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert b"" == process.stderr.read()
    assert 0 == process.wait(DEADLINE_S)
    process.stderr.close()


def test_background_failures_do_not_print(tmp_path: Path) -> None:
    """A task without an await, an unclosed client, a thread: one line at most."""
    body = (
        "import asyncio, gc, warnings\n"
        "    async def fail(): raise ValueError('lost')\n"
        "    async def main():\n"
        "        task = asyncio.ensure_future(fail()); await asyncio.sleep(0.01); del task\n"
        "        gc.collect(); warnings.warn('Unclosed X', ResourceWarning)\n"
        "    asyncio.run(main())"
    )
    done = program(tmp_path, body)

    assert (0, "") == (done.returncode, done.stderr)


def test_only_failures_start_with_arena() -> None:
    """Only one module prints `arena: `, so that notes and steps do not look like failures."""
    root = Path(__file__).resolve().parents[2]
    rooms = (
        "arena", "chat_nodes", "connectors", "dashboard", "judge", "ledger", "routers",
        "trading_tools",
    )  # fmt: skip
    printing = re.compile(r"""(print|echo|write)\(\s*f?["']arena: """)
    files = [path for room in rooms for path in (root / room).rglob("*.py")]
    found = {p.relative_to(root).as_posix() for p in files if printing.search(p.read_text())}

    assert {"arena/command_exit.py"} == found


def test_logged_error_is_one_line(tmp_path: Path) -> None:
    """A logged error has its message and code location, without a traceback."""
    body = (
        "from arena import logs; from arena.settings import Settings\n"
        "    logs.configure(Settings())\n"
        "    try: raise TypeError('a\\nb')\n"
        "    except TypeError: logs.get('x').exception('model raised')"
    )
    done = program(tmp_path, body)

    (line,) = done.stderr.splitlines()
    assert "TypeError: a b (in a library)" == json.loads(line)["exception"]


def test_a_command_ends_without_a_last_collection() -> None:
    """What it has imported is not searched for cycles when the process ends."""
    code = (
        "import atexit, gc; from arena.command_exit import run_command;"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000));"
        "run_command(lambda: 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert ("True\n", 0) == (done.stdout, done.returncode)
