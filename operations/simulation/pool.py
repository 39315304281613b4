"""Runs seeds in child processes, side by side; each child is a fork that runs one seed.

A fork begins with the same memory for every seed, so no seed can influence another one, and what a
crashed process of a simulation leaves ends with the child.
"""

import gc
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from operations.simulation.run import SeedResult

READ_BYTES = 1 << 16
SECONDS_MAX = 120
"""CPU seconds after which a child is ended: the arena never comes to rest."""

# Any: a JSON document.
Document = dict[str, Any]
Job = tuple[int, Callable[[], SeedResult]]
"""A seed, and what a child does for it."""


@dataclass(slots=True)
class _Child:
    """A child that runs a job.

    Attributes:
        number: Number of the job.
        seed: Its seed.
        pid: Its process id.
        output: What it wrote so far.
    """

    number: int
    seed: int
    pid: int
    output: bytearray


def results_of(jobs: Iterable[Job], workers: int) -> Iterator[tuple[int, SeedResult]]:
    """Run jobs in children, and yield the number and the result of each as it ends.

    If the iteration is stopped, the running children are ended.

    Args:
        jobs: The jobs.
        workers: How many run at once.
    """
    waiting = enumerate(jobs)
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while len(running) < workers and (job := next(waiting, None)) is not None:
                    child, pipe = _start(job[0], *job[1])
                    running[pipe] = child
                    selector.register(pipe, selectors.EVENT_READ)
                if not running:
                    return
                for key, _ in selector.select():
                    pipe = key.fd
                    if content := os.read(pipe, READ_BYTES):
                        running[pipe].output += content
                        continue
                    selector.unregister(pipe)
                    os.close(pipe)
                    child = running.pop(pipe)
                    yield child.number, _result(child)
        finally:
            for pipe, child in running.items():
                os.close(pipe)
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)


def _start(number: int, seed: int, work: Callable[[], SeedResult]) -> tuple[_Child, int]:
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(number, seed, pid, bytearray()), reading
    # The child: whatever happens, it ends here.
    os.close(reading)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        gc.set_threshold(0)
        document: Document = {"result": work().document()}
    except BaseException:  # reported by the parent
        document = {"error": traceback.format_exc()}
    try:
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(document).encode())
    finally:
        os._exit(0)


def _result(child: _Child) -> SeedResult:
    """The result that a child has written; a failure if it took too long.

    Raises:
        RuntimeError: The child failed, which is an error of the simulator.
    """
    _, status = os.waitpid(child.pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        words = f"TooSlow: it took more than {SECONDS_MAX} s of CPU time"
        return SeedResult(child.seed, (words,), "", 0)
    try:
        document: Document = json.loads(child.output)
    except ValueError:
        raise RuntimeError(f"a child ended with status {status}") from None
    if error := document.get("error"):
        raise RuntimeError(f"the simulator failed:\n{error}")
    found = document["result"]
    return SeedResult(**{**found, "reasons": tuple(found["reasons"])})
