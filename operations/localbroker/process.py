"""One broker process between its start and its end, and the wait until it serves.

Writes the state file of the broker it starts, and removes it with the process.
"""

import time
from collections.abc import Sequence
from typing import Literal

import psutil

from arena.broker_files import BrokerFiles
from arena.broker_state import BrokerState, Ports, remove_state, write_state
from arena.credentials import PLAINTEXT
from arena.errors import DependencyMissing
from arena.processes import started_at
from arena.progress import Progress, Step
from operations.localbroker.broker_spec import BrokerHandle, BrokerSpec
from operations.localbroker.diagnose import explain_exit, read_tail
from operations.localbroker.errors import PortTaken
from operations.localbroker.probe import probe, serves
from operations.localbroker.security import SASL_SSL
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper

READY_DEADLINE_S = 60.0
PROBE_INTERVAL_S = 0.02
BROKER_GRACE_S = 10
"""A broker writes its state to disk after SIGTERM, if its parent was killed."""

Answer = Literal["silent", "ours", "another's"]


class BrokerProcess:
    """A broker that was started."""

    def __init__(self, spec: BrokerSpec, files: BrokerFiles, host: str, ports: Ports) -> None:
        """Start it; `wait_ready` tells when it serves."""
        self.spec = spec
        self.host = host
        self.ports = ports
        self._files = files
        self._log_start = spec.log_file.stat().st_size if spec.log_file.exists() else 0
        process_spec = ProcessSpec("broker", tuple(spec.command), spec.environ, cwd=spec.cwd)
        self._reaper: OrphanReaper | None = OrphanReaper(BROKER_GRACE_S)
        self._child = ChildProcess(process_spec, files.console_log, append=False)
        self._reaper.add(self._child.target)
        try:
            self._write_state()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def bootstrap(self) -> str:
        """Its address for clients."""
        return f"{self.host}:{self.ports.client}"

    @property
    def exit_code(self) -> int | None:
        """What it returned; None while it runs."""
        return self._child.exit_code()

    def stop(self) -> None:
        """SIGTERM and wait; SIGKILL where it does not end."""
        self._child.stop()
        self._end()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._child.kill()
        self._end()

    def detach(self) -> None:
        """Let it outlive this process."""
        reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.release()

    def is_ready(self) -> bool:
        """True once our broker, and no other one on that port, answers.

        Raises:
            PortTaken: Another one answers.
            DependencyMissing: The process has ended.
        """
        answer = identify_broker(
            self.host,
            self.ports.client,
            cluster_id=self.spec.cluster_id,
            security=self.spec.security,
            pid=self.pid,
        )
        if self.exit_code is not None:
            raise self._explain()
        if answer == "another's":
            raise PortTaken(
                f"another broker answers on {self.bootstrap}",
                remedy="start ours elsewhere with --port 0, or use that one: "
                f"KAFKA_BOOTSTRAP_SERVERS={self.bootstrap}",
            )
        return answer == "ours"

    def handle(self, ready_s: float) -> BrokerHandle:
        """What a user of it gets."""
        spec = self.spec
        return BrokerHandle(
            bootstrap=self.bootstrap,
            kind=spec.kind,
            version=spec.version,
            data_dir=self._files.log_dirs if spec.durable else None,
            pid=self.pid,
            log_file=spec.log_file,
            durable=spec.durable,
            note=spec.note,
            ready_s=ready_s,
            security=spec.security,
        )

    def _end(self) -> None:
        self.detach()
        remove_state(self._files.state, self.pid)

    def _write_state(self) -> None:
        spec = self.spec
        state = BrokerState(
            kind=spec.kind,
            version=spec.version,
            bootstrap=self.bootstrap,
            controller_port=self.ports.controller,
            cluster_id=spec.cluster_id,
            durable=spec.durable,
            pid=self.pid,
            start_time_s=started_at(self.pid) or 0.0,
            data_dir=str(self._files.log_dirs) if spec.durable else "",
            log_file=str(spec.log_file),
            log_start_bytes=self._log_start,
            note=spec.note,
            security=spec.security,
        )
        write_state(self._files.state, state)

    def _explain(self) -> DependencyMissing:
        spec = self.spec
        text = read_tail(spec.log_file, self._log_start) + read_tail(self._files.console_log)
        error = explain_exit(
            text,
            exit_code=self.exit_code,
            bootstrap=self.bootstrap,
            data_dir=str(self._files.log_dirs),
            log_file=str(spec.log_file),
        )
        if "Address already in use" in text:
            return PortTaken(str(error))
        return error


def wait_ready(processes: Sequence[BrokerProcess], progress: Progress) -> float:
    """Return, with the seconds it took, when every one of them serves.

    Raises:
        PortTaken: One of the ports was lost to somebody else.
        DependencyMissing: One ended, or did not answer in time.
    """
    started = time.monotonic()
    silent = list(processes)
    while silent:
        elapsed = time.monotonic() - started
        names = ", ".join(process.bootstrap for process in silent)
        if elapsed > READY_DEADLINE_S:
            raise DependencyMissing(
                f"the local broker on {names} did not answer in {READY_DEADLINE_S:.0f} s",
                remedy=f"read {silent[0].spec.log_file}",
            )
        silent = [process for process in silent if not process.is_ready()]
        if silent:
            progress(Step("broker", f"starting on {names}, {elapsed:.0f} s"))
            time.sleep(PROBE_INTERVAL_S)
    return time.monotonic() - started


def identify_broker(host: str, port: int, *, cluster_id: str, security: str, pid: int) -> Answer:
    """Who answers on a port where a broker of ours should.

    A broker in the open is known by its cluster id. A secure one tells it to nobody who has not
    logged in, so there the port must be held by our process.
    """
    if security == PLAINTEXT:
        answer = probe(host, port)
        if answer is None:
            return "silent"
        return "ours" if answer.cluster_id == cluster_id else "another's"
    if not serves(host, port, tls=security == SASL_SSL):
        return "silent"
    return "ours" if _listens(pid, port) else "another's"


def _listens(pid: int, port: int) -> bool:
    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)
