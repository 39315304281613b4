"""A PostgreSQL server for the ledger of a storm, from the programs of this machine."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from arena.errors import DependencyMissing
from operations.localbroker.ports import LOOPBACK, choose_ports
from operations.processes.orphan_reaper import OrphanReaper

PROGRAMS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
UNPRIVILEGED = "postgres"
USER = "arena"
READY_S = 30.0
POLL_S = 0.05
RUNS_MAX = 3
LAST_LINES = 3
REMEDY = "check that PostgreSQL can run here, then run the storm again"


def find_programs() -> Path | None:
    """Return the newest folder of server programs on this machine; None if it has none."""
    found = [path for pattern in PROGRAMS for path in Path("/").glob(pattern.lstrip("/"))]
    found = [path for path in found if (path / "initdb").exists()]
    if not found and (beside := shutil.which("initdb")):
        found = [Path(beside).resolve().parent]
    return max(found, default=None)


def unavailable_reason() -> str:
    """Return why PostgreSQL cannot be started here; "" if it can."""
    if find_programs() is None:
        return "PostgreSQL is not installed here (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and not _is_user(UNPRIVILEGED):
        return f"PostgreSQL does not run as root, and the user {UNPRIVILEGED} is missing"
    return ""


@dataclass
class Postgres:
    """One server, with its files in its own folder."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="arena-storm-pg-")))
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _reaper: OrphanReaper | None = None

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/postgres"

    def start(self) -> None:
        """Create the files if there are none, start the server, and wait until it listens."""
        self._reaper = self._reaper or OrphanReaper()
        if not (self.folder / "data").exists():
            if self._user:
                shutil.chown(self.folder, self._user, self._user)
            words = ["-D", str(self.folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8"]
            self._run("initdb", *words, "--no-sync", "--locale=C")
            self.port = choose_ports(0).client
        words = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        words += ["-c", f"listen_addresses={LOOPBACK}", "-c", "max_connections=30"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
            )
        self._reaper.add(-self._process.pid)
        self._wait()

    def kill(self) -> None:
        """Send SIGKILL to the whole server, as in a crash."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
            if self._reaper is not None:
                self._reaper.remove(-self._process.pid)
            self._process = None

    def stop(self) -> None:
        """Stop the server, and remove its files."""
        self.kill()
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _user(self) -> str | None:
        return UNPRIVILEGED if os.geteuid() == 0 else None

    @property
    def _programs(self) -> Path:
        programs = find_programs()
        assert programs is not None, "ask why_not() first"
        return programs

    def _run(self, program: str, *words: str) -> None:
        """Run a program to its end, with retries: on a busy machine it may fail.

        Raises:
            DependencyMissing: It failed each time; the error has its last lines.
        """
        for _ in range(RUNS_MAX):
            done = subprocess.run(
                [str(self._programs / program), *words],
                check=False,
                capture_output=True,
                text=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
            )
            if done.returncode == 0:
                return
        last_lines = " / ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise DependencyMissing(
            f"{program} of PostgreSQL ended with exit code {done.returncode}: {last_lines}",
            remedy=REMEDY,
        )

    def _wait(self) -> None:
        until_s = time.monotonic() + READY_S
        ready = [str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        while time.monotonic() < until_s:
            with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 0.5):
                if subprocess.run(ready, check=False).returncode == 0:
                    return
            time.sleep(POLL_S)
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        raise DependencyMissing(
            f"PostgreSQL did not answer in {READY_S:.0f} s: {' / '.join(lines[-LAST_LINES:])}",
            remedy=REMEDY,
        )


def _is_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
