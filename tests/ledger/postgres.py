"""Starts a PostgreSQL server: from the programs of this machine, or in a container."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from operations.localbroker.ports import choose_ports
from tests.broker_fixture import docker_answers

PROGRAMS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
IMAGE = "postgres:17-alpine"
UNPRIVILEGED = "postgres"
READY_S = 30.0
USER = "arena"


@dataclass
class Cluster:
    """One server with its own folder.

    Attributes:
        programs: The folder of initdb and postgres.
        folder: The folder of its data and socket.
        port: Its port on loopback.
        user: The user that it runs as; None if it is the user of this process.
        process: Its process, while it runs.
    """

    programs: Path
    folder: Path
    port: int
    user: str | None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Create the files."""
        words = ["initdb", "-D", str(self.folder / "data"), "-U", USER, "-A", "trust"]
        self._run(*words, "-E", "UTF8", "--no-sync", "--locale=C")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        words += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "postgres"), *words],
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                cwd=self.folder,
            )
        deadline = time.monotonic() + READY_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, like a crash: committed data must survive."""
        if self.process is not None:
            self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.folder / "data"))
            self.process.wait(READY_S)
            self.process = None

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self.programs / program), *words],
            check=True,
            capture_output=True,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.folder,
        )


def find_programs() -> Path | None:
    """The folder of the newest server programs of this machine, or None."""
    found = [path for pattern in PROGRAMS for path in Path("/").glob(pattern.lstrip("/"))]
    if with_suffix := shutil.which("initdb"):
        found.append(Path(with_suffix).parent)
    found = [path for path in found if (path / "initdb").exists()]
    return max(found, default=None)


def why_not() -> str:
    """Why no PostgreSQL can be started here, or ""."""
    if docker_answers():
        return ""
    if find_programs() is None:
        return "PostgreSQL is not installed here (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and not _is_user(UNPRIVILEGED):
        return f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED}"
    return ""


@contextmanager
def local_cluster() -> Iterator[Cluster]:
    """Start a server from the programs of this machine; stop it and remove its files afterwards."""
    programs = find_programs()
    assert programs is not None, "check why_not() first"
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="arena-pg-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user, user)
        cluster = Cluster(programs, folder, choose_ports(0).client, user)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def any_postgres() -> Iterator[str]:
    """The address of a server: in a container if Docker answers, else from this machine."""
    if docker_answers():
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer(IMAGE, username=USER, password=USER, dbname="postgres") as container:
            yield container.get_connection_url(driver=None)
    else:
        with local_cluster() as cluster:
            yield cluster.url


def _is_user(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
