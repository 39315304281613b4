"""The real servers: installation into an environment of their own, start and stop."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "real-servers"
INSTALL_DEADLINE_S = 1_200
START_DEADLINE_S = 240
"""LiteLLM's proxy reads for half a minute before it answers, on a busy machine longer."""
STOP_DEADLINE_S = 20
LOG_LINES_SHOWN = 15
LITELLM_MASTER_KEY = "sk-made-up-for-real-servers"
KATAN_KEY = "made-up-katan-key"

Say = Callable[[str], None]


class ServerError(Exception):
    """A server could not be installed or started; the message has its output."""


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """One real server.

    Attributes:
        name: Name for people and for folders.
        package: Package whose version is shown; "" for none.
        lock: Lock file of its environment; None for the arena's own environment.
        command: Command in the environment's folder `bin`; names in braces are filled in.
        ready_path: Path that is answered with status 200 once it serves.
        port_variable: Name of the port in the specifications.
        prints_port: True if it chooses a port and prints it first.
        environ: Additional environment variables.
    """

    name: str
    package: str
    lock: Path | None
    command: str
    ready_path: str
    port_variable: str
    environ: Mapping[str, str] = field(default_factory=dict)
    prints_port: bool = False


LLAMA = Server(
    name="llama.cpp",
    package="xllamacpp",
    lock=ROOT / "requirements-local-llm.txt",
    command="python {here}/llama_server.py {port} 2048",
    ready_path="/health",
    port_variable="LLAMA_PORT",
)
LITELLM = Server(
    name="litellm",
    package="litellm",
    lock=FOLDER / "litellm.lock.txt",
    command="litellm --config {config}/litellm.yaml --host 127.0.0.1 --port {port}",
    ready_path="/health/liveliness",
    port_variable="LITELLM_PORT",
    environ={
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": LITELLM_MASTER_KEY,
    },
)
KATAN_TOOLS = Server(
    name="llm-katan",
    package="llm-katan",
    lock=FOLDER / "llm-katan.lock.txt",
    command="llm-katan --model any/echo-1 --backend echo --host 127.0.0.1 --port {port} "
    f"--error-rate 0.3 --validate-keys --api-keys openai={KATAN_KEY} "
    "--stats-file {logs}/katan-stats.json",
    ready_path="/health",
    port_variable="KATAN_PORT",
)
"""It answers every question that offers tools with a made-up call of the first one."""
KATAN = replace(KATAN_TOOLS, command=f"{KATAN_TOOLS.command} --no-auto-tool-providers openai")
"""It repeats what it was asked, in words."""
PROFILES = Server(
    name="profiles",
    package="",
    lock=None,
    command="python -m tests.chat_nodes.provider_server",
    ready_path="/",
    port_variable="PROFILES_PORT",
    environ={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    prints_port=True,
)
"""The tests' own server, which is as strict as the providers are; not a real one."""


def install(server: Server, home: Path, say: Say) -> Path:
    """The folder `bin` of the server's environment, which is created if missing or outdated.

    Raises:
        ServerError: It could not be created.
    """
    if server.lock is None:
        return Path(sys.executable).parent
    place = home / server.name
    marker = place / ".installed"
    lock = server.lock.read_text(encoding="utf-8")
    bins = place / "bin"
    if marker.is_file() and marker.read_text(encoding="utf-8") == lock:
        return bins
    say(f"installing {server.name} from {server.lock.relative_to(ROOT)}")
    marker.unlink(missing_ok=True)
    python = str(bins / "python")
    pip = (python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")
    exact = ("--no-deps", "--only-binary", ":all:", "--require-hashes")
    for words in (
        (sys.executable, "-m", "venv", str(place)),
        (*pip, *exact, "--requirement", str(server.lock)),
    ):
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=INSTALL_DEADLINE_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"{server.name}: {words[0]} took over {error.timeout} s") from None
        if done.returncode:
            raise ServerError(f"{server.name} could not be installed: {done.stderr.strip()}")
    marker.write_text(lock, encoding="utf-8")
    return bins


def version_of(server: Server, bins: Path) -> str:
    """The installed version; "" if none is shown."""
    if not server.package:
        return ""
    script = f"from importlib.metadata import version; print(version({server.package!r}))"
    words = [str(bins / "python"), "-c", script]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def running(server: Server, bins: Path, logs: Path) -> Iterator[int]:
    """Run the server on loopback; yields its port.

    Raises:
        ServerError: It does not answer, or has exited.
    """
    port = 0 if server.prints_port else _free_port()
    here = Path(__file__).parent
    words = [
        word.format(port=port, config=FOLDER, here=here, logs=logs)
        for word in server.command.split()
    ]
    log_file = logs / f"{server.name}.log"
    with log_file.open("w", encoding="utf-8") as log:
        process = _start([str(bins / words[0]), *words[1:]], server.environ, logs, log)
        try:
            yield _wait_ready(server, process, port, log_file)
        finally:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(
    words: list[str], environ: Mapping[str, str], cwd: Path, log: IO[str]
) -> "subprocess.Popen[str]":
    # Without the arena's own variables: a server must not see its modules or keys.
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    return subprocess.Popen(
        words,
        env=inherited | dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_ready(server: Server, process: "subprocess.Popen[str]", port: int, log_file: Path) -> int:
    """The port of the server, once it answers."""
    deadline_s = time.monotonic() + START_DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if server.prints_port and not port:
            first = log_file.read_text(encoding="utf-8").split("\n")
            port = int(first[0]) if len(first) > 1 else 0
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{server.ready_path}", timeout=2):
                return port
        except urllib.error.HTTPError:
            if server.prints_port:
                return port  # any answer will do
            time.sleep(0.2)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    tail = "\n".join(log_file.read_text(encoding="utf-8").splitlines()[-LOG_LINES_SHOWN:])
    ended = process.returncode is not None
    why = f"ended with {process.returncode}" if ended else f"was silent for {START_DEADLINE_S} s"
    raise ServerError(f"{server.name} {why}:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
