"""The processes of one measurement, under a topic prefix of their own.

Every node is the ordinary command with ordinary flags; only the model behind the chat node is the
stub. A rig is a context manager: whatever happens, its processes end with it.
"""

import contextlib
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from arena.errors import DependencyMissing
from arena.settings import Settings

NODE = "bench"
STRATEGY = str(Path(__file__).with_name("metronome.toml"))
STOP_TIMEOUT_S = 8.0
KEY_VARIABLE = "ARENA_BENCH_KEY"


@dataclass
class BenchProcesses:
    """Running processes by name.

    Attributes:
        settings: The broker, and the prefix of this measurement.
        logs: Folder for their logs.
    """

    settings: Settings
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def new(cls, settings: Settings, logs: Path) -> Self:
        """A rig with a fresh prefix."""
        logs.mkdir(parents=True, exist_ok=True)
        return cls(settings.override(prefix=f"bench-{uuid.uuid4().hex[:8]}."), logs)

    def start(self, name: str, *command: str, module: str = "arena") -> None:
        """Start `python -m MODULE COMMAND...`, logging to its own file."""
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
        """Start the stub model; returns its base URL."""
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
        """Start tools, one chat node and the agents; returns the agents' names.

        Args:
            agents: How many.
            model: The model id of the chat node: "stub" or "scripted".
            base_url: Where the stub listens.
            together: All agents in one process instead of one process each.
        """
        self.start("tools", "tools", "--fees", "none", "--starting-cash", "1000000000")
        flags = ["--name", NODE, "--model-id", model, "--max-workers", str(max(10, agents))]
        if not model.startswith("scripted"):
            flags += ["--base-url", base_url, "--api-key-env", KEY_VARIABLE]
        self.start("chat-node", "chat-node", *flags)
        names = [f"agent{n}" for n in range(agents)]
        if together:
            given = [text for n in names for text in ("--agent", f"{n}={STRATEGY}@{NODE}")]
            self.start("routers", "routers", *given)
        else:
            for n in names:
                self.start(
                    f"router-{n}",
                    *("router", "--name", n, "--chat-node-name", NODE, "--strategy", STRATEGY),
                )
        return names

    def measured(self) -> dict[str, int]:
        """Process ids of everything but the stub, by name."""
        return {name: p.pid for name, p in self.processes.items() if name != "stub"}

    def check(self) -> None:
        """Raise where a process has ended.

        Raises:
            DependencyMissing: One has; the message carries the end of its log.
        """
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                log = self.logs / f"{self.settings.prefix}{name}.log"
                tail = log.read_text(errors="replace")[-500:] if log.exists() else ""
                raise DependencyMissing(f"{name} ended with code {code}: {tail}")

    def __enter__(self) -> Self:
        """Nothing to do before processes are started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Terminate every process, and kill what does not end in time."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
