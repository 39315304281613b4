"""Runs `arena` commands to their ends, each in a process forked from one that is warm.

Four fifths of a short command are the start of Python and the import of what all commands import.
The forkserver of multiprocessing does both once for each pytest worker (`tests.warm_modules`). A
command has a process of its own, with its environment, folder, arguments, output and exit code, in
which `python -m arena` begins. Tests of starts, imports, signals and terminals start Python itself.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    *("aiokafka", "dotenv", "psutil", "pydantic_settings", "typer.main", "uvloop"),
    *("arena.bus.kafka", "arena.node", "arena.run_lookup"),
    *("operations.help_style", "operations.main"),
)
"""Libraries, the ground and the composition root; each command imports its own room itself."""
IMPORTER = "tests.warm_modules"
DEADLINE_S = 60.0
STDOUT, STDERR = 1, 2


def run_arena(
    *words: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout_s: float = DEADLINE_S,
) -> "subprocess.CompletedProcess[str]":
    """Run `arena WORDS` and return its exit code and output.

    Args:
        words: The arguments.
        env: Its whole environment; None for that of this process.
        cwd: Its working directory.
        timeout_s: Time until it is killed.

    Raises:
        subprocess.TimeoutExpired: It was killed.
    """
    environ = dict(os.environ if env is None else env)
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process = _forkserver().Process(
            target=_run_command, args=(words, environ, str(cwd), out.name, err.name)
        )
        process.start()
        try:
            process.join(timeout_s)
        finally:
            process.kill()
        code = process.exitcode
        process.join()
        process.close()
        output, errors = _text_of(out), _text_of(err)
    argv = ("arena", *words)
    if code is None:
        raise subprocess.TimeoutExpired(argv, timeout_s, output, errors)
    return subprocess.CompletedProcess(argv, code, output, errors)


@cache
def _forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([IMPORTER])
    return context


def _text_of(file: IO[bytes]) -> str:
    return Path(file.name).read_text(encoding="utf-8")


def _run_command(
    words: tuple[str, ...], environ: dict[str, str], cwd: str, out: str, err: str
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    for number, path in ((STDOUT, out), (STDERR, err)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["arena", *words]
    runpy.run_module("arena", run_name="__main__", alter_sys=True)
