"""`LocalBroker`: one broker on this machine, from nothing to ready and back to nothing.

    with LocalBroker(Path(".arena")) as broker:
        handle = broker.start(print_progress())
        ...                                   # handle.bootstrap

A broker lives as long as the process that started it, however that one ends; `detach` is what
makes it stay. Reads and writes `<home>/kafka` and the cache.
"""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from arena.errors import DependencyMissing
from arena.localbroker.cache import exclusive
from arena.localbroker.child import Child, started_at
from arena.localbroker.config import BrokerFiles
from arena.localbroker.diagnose import explain_exit, read_tail
from arena.localbroker.errors import PortTaken
from arena.localbroker.fallback import prepare_kafka_or_fallback
from arena.localbroker.kafka import prepare_kafka
from arena.localbroker.launch import BrokerHandle, Launch
from arena.localbroker.ports import LOOPBACK, Ports, can_bind, choose_ports
from arena.localbroker.probe import probe
from arena.localbroker.progress import Progress, Step, no_progress
from arena.localbroker.signals import terminate_as_interrupt
from arena.localbroker.state import BrokerState, read_state, remove_state, write_state

READY_DEADLINE_S = 60.0
PROBE_INTERVAL_S = 0.02
PORT_ATTEMPTS = 3


class LocalBroker:
    """Starts, stops and kills one broker on one data directory."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        cache: Path | None = None,
        allow_fallback: bool = True,
    ) -> None:
        """Prepare nothing yet.

        Args:
            home: The arena's local state (`.arena`); the broker's lies in `home/kafka`.
            host: The IPv4 address to listen on and to advertise.
            port: The client port: a number or an error, 0 for any free one, None for 9092
                where it is free and any other where not.
            cache: Where jars and wheels are kept; `cache_root()` where none is given.
            allow_fallback: Use the memory-only broker where Kafka cannot be had.
        """
        self._files = BrokerFiles(home.resolve() / "kafka")
        self._host = host
        self._port = port
        self._cache = cache
        self._prepare = prepare_kafka_or_fallback if allow_fallback else prepare_kafka
        self._ports: Ports | None = None
        self._child: Child | None = None

    def __enter__(self) -> Self:
        """The broker itself, not started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it where it runs."""
        self.stop()

    @property
    def files(self) -> BrokerFiles:
        """Where it keeps its things."""
        return self._files

    def start(self, progress: Progress = no_progress) -> BrokerHandle:
        """Fetch what is missing, start the broker, and return once it serves.

        After `stop` or `kill` it may be called again: same data, same ports.

        Raises:
            PortTaken: The port that was asked for is not free.
            FileRefused: A fetched file is not the one in the lock.
            DependencyMissing: Anything else that was missing, with its remedy.
        """
        try:
            self._files.root.mkdir(parents=True, exist_ok=True)
            lock = self._files.root / "start.lock"
            with terminate_as_interrupt(), exclusive(lock, "broker", progress):
                self._refuse_second()
                return self._start_on_some_ports(progress)
        except OSError as error:
            raise DependencyMissing(
                f"cannot start a broker in {self._files.root}: {error.strerror or error}",
                remedy="free some space, or point ARENA_HOME at a directory that can be written",
            ) from error

    def stop(self) -> None:
        """SIGTERM and wait; SIGKILL where it does not end. Fine where it does not run."""
        self._end(kill=False)

    def kill(self) -> None:
        """SIGKILL, as a crash would: nothing is flushed, nothing is said. For tests."""
        self._end(kill=True)

    def detach(self) -> None:
        """Let the broker outlive this process; `arena broker stop` ends it."""
        if self._child is not None:
            self._child.detach()
            self._child = None

    def _start_on_some_ports(self, progress: Progress) -> BrokerHandle:
        """Start; where ports were free to choose and one was lost meanwhile, choose again."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            ports = self._choose_ports()
            launch = self._prepare(
                self._files, self._host, ports, cache=self._cache, progress=progress
            )
            try:
                return self._run(launch, ports, progress)
            except PortTaken:
                if self._port or attempt == PORT_ATTEMPTS:
                    raise
                self._ports = None
        raise AssertionError("the last attempt returns or raises")

    def _end(self, *, kill: bool) -> None:
        child = self._child
        if child is None:
            return
        if kill:
            child.kill()
        else:
            child.stop()
        self._child = None
        remove_state(self._files.state, child.pid)

    def _refuse_second(self) -> None:
        state = read_state(self._files.state)
        if self._child is not None or (state is not None and state.is_running()):
            where = f" on {state.bootstrap} (pid {state.pid})" if state else ""
            raise DependencyMissing(
                f"a broker runs already{where} on {self._files.root}",
                remedy="use it, stop it with: arena broker stop, or choose another ARENA_HOME",
            )

    def _choose_ports(self) -> Ports:
        """The ports of the last start where they are free, so clients find it again."""
        last = self._ports
        if last and can_bind(last.client, self._host) and can_bind(last.controller, self._host):
            return last
        wanted = last.client if last else self._port
        self._ports = choose_ports(wanted, self._host)
        return self._ports

    def _run(self, launch: Launch, ports: Ports, progress: Progress) -> BrokerHandle:
        started = time.monotonic()
        log_start = _size(launch.log_file)
        child = Child(
            launch.command,
            cwd=launch.cwd,
            console_log=self._files.console_log,
            environ=launch.environ,
        )
        try:
            self._write_state(child, launch, ports, log_start)
            self._wait_ready(child, launch, ports, log_start, progress)
        except BaseException:
            child.kill()
            remove_state(self._files.state, child.pid)
            raise
        self._child = child
        ready_s = time.monotonic() - started
        bootstrap = f"{self._host}:{ports.client}"
        progress(Step("broker", f"ready on {bootstrap} in {ready_s:.1f} s", finished=True))
        return BrokerHandle(
            bootstrap=bootstrap,
            kind=launch.kind,
            version=launch.version,
            data_dir=self._files.log_dirs if launch.durable else None,
            pid=child.pid,
            log_file=launch.log_file,
            durable=launch.durable,
            note=launch.note,
            ready_s=ready_s,
        )

    def _write_state(self, child: Child, launch: Launch, ports: Ports, log_start: int) -> None:
        state = BrokerState(
            kind=launch.kind,
            version=launch.version,
            bootstrap=f"{self._host}:{ports.client}",
            controller_port=ports.controller,
            cluster_id=launch.cluster_id,
            durable=launch.durable,
            pid=child.pid,
            start_time_s=started_at(child.pid) or 0.0,
            data_dir=str(self._files.log_dirs) if launch.durable else "",
            log_file=str(launch.log_file),
            log_start_bytes=log_start,
            note=launch.note,
        )
        write_state(self._files.state, state)

    def _wait_ready(
        self, child: Child, launch: Launch, ports: Ports, log_start: int, progress: Progress
    ) -> None:
        """Return when our broker, and no other one on that port, answers."""
        started = time.monotonic()
        bootstrap = f"{self._host}:{ports.client}"
        while (elapsed := time.monotonic() - started) < READY_DEADLINE_S:
            answer = probe(self._host, ports.client)
            if child.exit_code is not None:
                raise self._explain(child, launch, bootstrap, log_start)
            if answer is not None and answer.cluster_id == launch.cluster_id:
                return
            if answer is not None:
                raise PortTaken(
                    f"another broker (cluster {answer.cluster_id}) answers on {bootstrap}",
                    remedy="start ours elsewhere with --port 0, or use that one: "
                    f"KAFKA_BOOTSTRAP_SERVERS={bootstrap}",
                )
            progress(Step("broker", f"starting on {bootstrap}, {elapsed:.0f} s"))
            time.sleep(PROBE_INTERVAL_S)
        raise DependencyMissing(
            f"the local broker on {bootstrap} did not answer in {READY_DEADLINE_S:.0f} s",
            remedy=f"read {launch.log_file}",
        )

    def _explain(
        self, child: Child, launch: Launch, bootstrap: str, log_start: int
    ) -> DependencyMissing:
        text = read_tail(launch.log_file, log_start) + read_tail(self._files.console_log)
        error = explain_exit(
            text,
            exit_code=child.exit_code,
            bootstrap=bootstrap,
            data_dir=str(self._files.log_dirs),
            log_file=str(launch.log_file),
        )
        if "Address already in use" in text:
            return PortTaken(str(error))
        return error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
