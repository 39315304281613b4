"""Several hosts on one machine: network namespaces on one switch, whose links can be cut.

A host is a network namespace with its own name, address and clock. Its processes are restarted
when they end, as on a real host. Needs root and iproute2; `why_not` says what is missing. `close`
removes the namespaces.
"""

import asyncio
import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from arena.clock import SHIFT_VARIABLE

NETWORK = "10.77.0"
ROOT = Path(__file__).resolve().parents[2]
SET_HOSTNAME = 'hostname "$0" && exec "$@"'
CLONE_NEWNET = 0x40000000
VARIABLES_DROPPED = ("KAFKA_", "ARENA_", "DATABASE_URL")
STOP_S = 5.0

Result = TypeVar("Result")


def why_not() -> str:
    """Return why no hosts can be created here, or ""."""
    missing = [name for name in ("ip", "unshare", "hostname") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    if os.geteuid() != 0:
        return "only root can create network namespaces"
    tried = subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine does not allow network namespaces"


@dataclass
class Network:
    """A switch and the hosts on it.

    Attributes:
        folder: The folder of homes, logs and clocks. hosts: the hosts by name.
    """

    folder: Path
    hosts: dict[str, "Host"] = field(default_factory=dict)
    _id: str = f"arena{os.getpid()}"

    def __post_init__(self) -> None:
        """Create the switch."""
        self.switch = f"{self._id}-switch"
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "switch", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "switch", "up")

    def add(self, name: str, *, clock_s: float = 0.0) -> "Host":
        """Create a host.

        Args:
            name: Its name, at most nine characters.
            clock_s: How far its clock is ahead, in seconds.
        """
        own = f"{self._id}-{name}"
        host = Host(name, own, f"{NETWORK}.{len(self.hosts) + 1}", self.folder / name, clock_s)
        run("ip", "netns", "add", own)
        self.hosts[name] = host
        port = f"to-{name}"
        run(*f"ip -n {self.switch} link add {port} type veth peer name eth0 netns {own}".split())
        run(*f"ip -n {self.switch} link set {port} master switch up".split())
        run(*f"ip -n {own} address add {host.address}/24 dev eth0".split())
        for device in ("lo", "eth0"):
            run("ip", "-n", own, "link", "set", device, "up")
        host.home.mkdir(parents=True)
        return host

    def cut_link(self, host: "Host") -> None:
        """Cut the link of a host."""
        run("ip", "-n", self.switch, "link", "set", f"to-{host.name}", "down")

    def restore(self, host: "Host") -> None:
        """Restore the link of a host."""
        run("ip", "-n", self.switch, "link", "set", f"to-{host.name}", "up")

    def restart_ended(self) -> None:
        """Restart processes that have ended."""
        for host in self.hosts.values():
            host.restart_ended()

    def close(self) -> None:
        """Stop all processes, and remove the hosts and the switch."""
        for host in self.hosts.values():
            host.stop()
        for name in (*(host.namespace for host in self.hosts.values()), self.switch):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


@dataclass
class Host:
    """One host.

    Attributes:
        name, namespace, address: Its name, network namespace and IP address.
        home: `ARENA_HOME` of its processes, and the folder of their logs.
        clock_s: How far its clock is ahead, in seconds.
        ends: How often each process ended by itself, with its last line.
    """

    name: str
    namespace: str
    address: str
    home: Path
    clock_s: float
    ends: Counter[str] = field(default_factory=Counter)
    _commands: dict[str, tuple[tuple[str, ...], dict[str, str]]] = field(default_factory=dict)
    _processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def keep_running(self, name: str, *words: str, login: Mapping[str, str]) -> None:
        """Start an `arena` command, and restart it when it ends."""
        self._commands[name] = (words, dict(login))
        self._start(name)

    def arena(self, *words: str, login: Mapping[str, str] | None = None) -> str:
        """Run an `arena` command to its end; return its output.

        Raises:
            AssertionError: It failed.
        """
        done = subprocess.run(
            self._argv(words),
            env=self._environment(login or {}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), f"arena {' '.join(words)}: {done.stderr}"
        return done.stdout

    def log(self, name: str) -> str:
        """Return the log of a process."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    def restart_ended(self) -> None:
        """Restart processes that have ended."""
        for name, process in list(self._processes.items()):
            if process.poll() is not None:
                last = (self.log(name).strip().splitlines() or [""])[-1]
                self.ends[f"{self.name} {name} {process.returncode}: {last[-300:]}"] += 1
                self._start(name)

    def stop(self) -> None:
        """Stop its processes."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def run_inside(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> "Future[Result]":
        """Run a coroutine of the test in a thread in the network of this host."""
        found: Future[Result] = Future()

        def inside() -> None:
            try:
                self._enter()
                found.set_result(asyncio.run(work()))
            except BaseException as error:  # re-raised by `Future.result`
                found.set_exception(error)

        threading.Thread(target=inside, daemon=True).start()
        return found

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/run/netns/{self.namespace}").open("rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def _start(self, name: str) -> None:
        words, login = self._commands[name]
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self._argv(words), env=self._environment(login), cwd=ROOT, stdout=log, stderr=log
            )
        self._processes[name] = process
        if self.clock_s:  # exec keeps the process id
            (self.home / str(process.pid)).write_text(str(self.clock_s))

    def _argv(self, words: tuple[str, ...]) -> list[str]:
        enter = ["ip", "netns", "exec", self.namespace, "unshare", "--uts"]
        return [*enter, "sh", "-c", SET_HOSTNAME, self.name, sys.executable, "-m", "arena", *words]

    def _environment(self, login: Mapping[str, str]) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith(VARIABLES_DROPPED)}
        return {
            **own,
            "ARENA_HOME": str(self.home),
            "ARENA_LOG_FORMAT": "json",
            "ARENA_HEARTBEAT_INTERVAL_S": "2",
            "PYTHONPATH": str(ROOT),
            SHIFT_VARIABLE: str(self.home),
            **login,
        }


def run(*words: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


def wait_until(
    condition: Callable[[], bool], network: Network, what: str, within_s: float
) -> float:
    """Wait for a condition, restarting ended processes; return the seconds that it took.

    Raises:
        AssertionError: The condition did not become true in time.
    """
    began_s = time.monotonic()
    while not condition():
        network.restart_ended()
        waited_s = time.monotonic() - began_s
        assert waited_s < within_s, f"{what} did not happen within {within_s:.0f} s"
        with suppress(InterruptedError):
            time.sleep(0.05)
    return time.monotonic() - began_s
