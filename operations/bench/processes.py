"""The processes of one measurement, under their own topic prefix.

Every node is the normal command with normal flags; only the model of the chat node is the stub.
"""

import contextlib
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from arena.errors import DependencyMissing
from arena.settings import Settings
from operations.processes.stop_on_exit import StopOnExit

NODE = "bench"
STRATEGY = str(Path(__file__).with_name("metronome.toml"))
STOP_TIMEOUT_S = 8.0
KEY_VARIABLE = "ARENA_BENCH_KEY"


@dataclass
class BenchProcesses(StopOnExit):
    """Running processes by name; all are stopped at the end of the block.

    Attributes:
        settings: The broker, and the prefix of this measurement.
        logs: Folder for their logs.
    """

    settings: Settings
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def new(cls, settings: Settings, logs: Path) -> Self:
        """Create it with a new prefix."""
        logs.mkdir(parents=True, exist_ok=True)
        return cls(settings.override(prefix=f"bench-{uuid.uuid4().hex[:8]}."), logs)

    def start(self, name: str, *command: str, module: str = "arena") -> None:
        """Start `python -m MODULE COMMAND...` with its own log file."""
        env = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "ARENA_PREFIX": self.settings.prefix,
            "ARENA_LOG_LEVEL": "WARNING",
            KEY_VARIABLE: "none",
        }
        with (self.logs / f"{self.settings.prefix}{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_stub(self, calls: int) -> str:
        """Start the stub model; return its base URL."""
        process = subprocess.Popen(
            [sys.executable, "-m", "operations.bench.stub_model", "--calls", str(calls)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.processes["stub"] = process
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        if not port:
            raise DependencyMissing("the stub model did not start")
        return f"http://127.0.0.1:{port}/v1"

    def start_arena(self, agents: int, *, model: str, base_url: str, together: bool) -> list[str]:
        """Start tools, one chat node and the agents; return the agents' names.

        Args:
            agents: Number of agents.
            model: The model id of the chat node: "stub" or "scripted".
            base_url: URL of the stub.
            together: True for all agents in one process, False for one process each.
        """
        self.start("tools", "tools", "--fees", "none", "--starting-cash", "1000000000")
        flags = ["--name", NODE, "--model-id", model, "--max-workers", str(max(10, agents))]
        if not model.startswith("scripted"):
            flags += ["--base-url", base_url, "--api-key-env", KEY_VARIABLE]
        self.start("chat-node", "chat-node", *flags)
        names = [f"agent{n}" for n in range(agents)]
        if together:
            agent_flags = [text for n in names for text in ("--agent", f"{n}={STRATEGY}@{NODE}")]
            self.start("routers", "routers", *agent_flags)
        else:
            for n in names:
                self.start(
                    f"router-{n}",
                    *("router", "--name", n, "--chat-node-name", NODE, "--strategy", STRATEGY),
                )
        return names

    def measured(self) -> dict[str, int]:
        """Return the process ids of all processes except the stub, by name."""
        return {name: p.pid for name, p in self.processes.items() if name != "stub"}

    def check(self) -> None:
        """Require that all processes are running.

        Raises:
            DependencyMissing: One has ended; the error has the end of its log.
        """
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                log = self.logs / f"{self.settings.prefix}{name}.log"
                tail = log.read_text(errors="replace")[-500:] if log.exists() else ""
                raise DependencyMissing(f"{name} ended with code {code}: {tail}")

    def stop(self) -> None:
        """Send SIGTERM to every process, and SIGKILL to those that do not end in time."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
