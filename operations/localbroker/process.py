"""One broker process from its start to its end, and the wait until it serves.

Writes the state file of the broker, and removes it when the process has ended.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import psutil

from arena.broker_files import BrokerFiles
from arena.broker_state import BrokerState, Ports, remove_state, write_state
from arena.credentials import PLAINTEXT
from arena.errors import DependencyMissing
from arena.processes import started_at
from arena.progress import Progress, Step
from operations.localbroker.broker_spec import BrokerHandle, BrokerSpec, handle_of_state
from operations.localbroker.diagnose import explain_exit, read_tail
from operations.localbroker.errors import PortTaken
from operations.localbroker.probe import probe, serves
from operations.localbroker.security import SASL_SSL
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper

READY_DEADLINE_S = 60.0
PROBE_INTERVAL_S = 0.02
BROKER_GRACE_S = 10
"""Time for a broker to flush its data after SIGTERM, if its parent was killed."""

PortOwner = Literal["silent", "ours", "another's"]


class BrokerProcess:
    """A broker that was started."""

    def __init__(self, spec: BrokerSpec, files: BrokerFiles, host: str, ports: Ports) -> None:
        """Start the process and write its state file; `wait_ready` waits until it serves.

        Args:
            spec: The prepared broker.
            files: The paths of its files.
            host: The address it listens on.
            ports: Its ports.
        """
        self.spec = spec
        self.host = host
        self.ports = ports
        self._files = files
        self._log_start = spec.log_file.stat().st_size if spec.log_file.exists() else 0
        process_spec = ProcessSpec("broker", tuple(spec.command), spec.environ, cwd=spec.cwd)
        self._reaper: OrphanReaper | None = None
        self._child = ChildProcess(process_spec, files.console_log, append=False)
        try:
            self._reaper = OrphanReaper(BROKER_GRACE_S)
            self._reaper.add(self._child.target)
            self._state = self._new_state()
            write_state(self._files.state, self._state)
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
        """Its exit code; None while it runs."""
        return self._child.exit_code()

    def stop(self) -> None:
        """Send SIGTERM and wait; send SIGKILL if it does not end."""
        self._child.stop()
        self._end()

    def kill(self) -> None:
        """Send SIGKILL, as in a crash."""
        self._child.kill()
        self._end()

    def detach(self) -> None:
        """Keep it running after this process."""
        reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.release()

    def is_ready(self) -> bool:
        """True if this broker, not another one on its port, answers.

        Raises:
            PortTaken: Another broker answers.
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
                remedy="start this one on another port with --port 0, or use that one: "
                f"KAFKA_BOOTSTRAP_SERVERS={self.bootstrap}",
            )
        return answer == "ours"

    def handle(self, ready_s: float) -> BrokerHandle:
        """Return the handle for users of the broker."""
        return replace(handle_of_state(self._state), ready_s=ready_s)

    def _end(self) -> None:
        self.detach()
        remove_state(self._files.state, self.pid)

    def _new_state(self) -> BrokerState:
        spec = self.spec
        return BrokerState(
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
    """Wait until all brokers serve; return the seconds it took.

    Raises:
        PortTaken: Another process took one of the ports.
        DependencyMissing: A broker ended, or did not answer in time.
    """
    started_s = time.monotonic()
    silent = list(processes)
    while silent:
        elapsed_s = time.monotonic() - started_s
        names = ", ".join(process.bootstrap for process in silent)
        if elapsed_s > READY_DEADLINE_S:
            raise DependencyMissing(
                f"the local broker on {names} did not answer in {READY_DEADLINE_S:.0f} s",
                remedy=f"read {silent[0].spec.log_file}",
            )
        silent = [process for process in silent if not process.is_ready()]
        if silent:
            progress(Step("broker", f"starting on {names}, {elapsed_s:.0f} s"))
            time.sleep(PROBE_INTERVAL_S)
    return time.monotonic() - started_s


def identify_broker(host: str, port: int, *, cluster_id: str, security: str, pid: int) -> PortOwner:
    """Return whether the expected broker answers on a port, another one, or none.

    A plaintext broker is identified by its cluster id. A secure broker does not send it before a
    login, so there the port must belong to the expected process.
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
