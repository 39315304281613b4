"""README's commands work in their order, in a folder that has only the clone."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.localbroker.ports import choose_ports
from operations.main import COMMANDS
from operations.specs.arena_spec import load_spec
from routers.strategy import load_strategy
from tests.operations.commands.cli import ROOT
from tests.readme_walk import (
    BESIDE,
    EXIT_CODES,
    LEFT_OUT,
    OUTPUTS,
    SHORTER,
    ReadmeCommand,
    files_of,
    left_out_lines,
    make_targets,
    steps_of,
    with_port,
)

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = steps_of(TEXT)
NEEDS_BROKER = re.compile(r"arena (demo|compete run|up)\b")
STEP_DEADLINE_S = 300.0
"""Far more than any command needs here: the machine may be busy."""
ANSWER_DEADLINE_S = 90.0
"""For the first turns and orders of an arena that has just started."""
HIDDEN = ("KAFKA_BOOTSTRAP_SERVERS", "ARENA_PREFIX", "ARENA_STEP", "DATABASE_URL")
LEFT_IN = ("examples", "Makefile", "scripts", "README.md")
"""The parts of the clone that the walk uses."""


@pytest.mark.timeout(900)
def test_readme_works_in_its_order(
    broker_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command has its exit code; only those that start an arena get a broker's address."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in LEFT_IN:
        (folder / name).symlink_to(ROOT / name)
    for name, content in files_of(TEXT).items():
        (folder / name).write_text(content)
    with capsys.disabled():
        print("\n" + "\n".join(left_out_lines(STEPS)))
    try:
        wrong = _walk(folder, broker_address)
    finally:  # README starts a broker that keeps running
        _run(ReadmeCommand(0, "", "arena broker stop"), folder, None)

    assert [] == wrong
    assert {"audit.key", "bundle", "mine.toml"} <= set(os.listdir(folder))


def test_every_left_out_command_exists() -> None:
    """A command that the walk leaves out is an existing target, command or file."""
    targets = make_targets(ROOT / "Makefile")
    for step in STEPS:
        words = [w for w in shlex.split(step.text) if not re.match(r"[A-Z_]+=", w)]
        asked = " ".join(words[1:3])
        if words[0] == "make":
            assert words[1] in targets, step
        elif words[0] == "arena":
            assert asked in COMMANDS or words[1] in COMMANDS, step
        for word in words:
            if word.startswith("examples/"):
                load_spec(ROOT / word)


def test_every_rule_of_the_walk_is_used() -> None:
    """Every pattern of the list matches a command in README."""
    texts = [step.text for step in STEPS]
    kinds = [pattern for pattern, _ in LEFT_OUT[2:]]
    kinds += [pattern for pattern, _ in (*SHORTER, *OUTPUTS)]
    unused = [pattern for pattern in kinds if not any(re.search(pattern, t) for t in texts)]
    unused += [
        pattern for pattern, _, _ in BESIDE if not any(re.search(pattern, s.run) for s in STEPS)
    ]

    assert [] == unused
    assert set(EXIT_CODES) <= set(texts)


def test_strategy_in_readme_is_valid(tmp_path: Path) -> None:
    """An agent can play the file that README shows."""
    files = files_of(TEXT)

    assert {"patient.toml"} == set(files)
    path = tmp_path / "patient.toml"
    path.write_text(files["patient.toml"])
    assert "patient" == load_strategy(str(path)).name


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```\nmake demo   # the demo\nsomething else\n```\n", "'something else' among commands"),
        ("```\narena demo\n  --seconds 3\n```\n", "among commands"),
    ],
)
def test_line_that_is_not_a_command_is_refused(text: str, error: str) -> None:
    """A block of commands has no line that the walk would skip silently."""
    with pytest.raises(ValueError, match=error):
        steps_of(text)


def _walk(folder: Path, broker_address: str) -> list[str]:
    wrong = []
    port, section = choose_ports(0).client, 0
    with contextlib.ExitStack() as beside:
        for step in STEPS:
            if not step.run:
                continue
            if step.ready or step.section != section:
                beside.close()
            section = step.section
            began = time.monotonic()
            broker = broker_address if NEEDS_BROKER.match(step.run) else None
            if step.ready:
                beside.enter_context(_running(step, folder, broker, port))
                continue
            done = _run(step, folder, broker, port)
            while step.output and not _is_expected(step, done):
                if time.monotonic() - began > ANSWER_DEADLINE_S:
                    break
                time.sleep(0.5)
                done = _run(step, folder, broker, port)
            print(f"{step.run}: exit code {done.returncode}, {time.monotonic() - began:.1f} s")
            output = f"{done.stdout[-800:]}\n{done.stderr[-800:]}"
            if not _is_expected(step, done) or "Traceback" in output:
                wrong.append(f"README.md:{step.line}: {step.run}: {done.returncode}\n{output}")
    return wrong


def _is_expected(step: ReadmeCommand, done: "subprocess.CompletedProcess[str]") -> bool:
    has_output = re.search(step.output, done.stdout) is not None
    return done.returncode == EXIT_CODES.get(step.text, 0) and has_output


@contextlib.contextmanager
def _running(step: ReadmeCommand, folder: Path, broker: str | None, port: int) -> Iterator[None]:
    """A command in the background, from the line with which it is ready until the block ends."""
    process = subprocess.Popen(
        ["/bin/bash", "-c", f"exec {with_port(step, port)}"],
        env=_environment(broker),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if re.search(step.ready, line):
                break
        else:
            raise AssertionError(f"{step.run}: {''.join(lines[-20:])}")
        reading = threading.Thread(target=process.stdout.read, daemon=True)
        reading.start()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STEP_DEADLINE_S)


def _run(
    step: ReadmeCommand, folder: Path, broker: str | None, port: int = 0
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/bash", "-c", with_port(step, port)],
        env=_environment(broker),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_DEADLINE_S,
        check=False,
    )


def _environment(broker: str | None) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    servers = {} if broker is None else {"KAFKA_BOOTSTRAP_SERVERS": broker}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    return environ | servers | {"PYTHONPATH": str(ROOT), "PATH": path}
