"""`LocalBroker`: one broker on this machine, from nothing to ready and back to nothing.

    with LocalBroker(Path(".arena")) as broker:
        handle = broker.start(print_progress())
        ...                                   # handle.bootstrap

A broker ends with the process that started it, however that ends, unless `detach` was called.
Reads and writes `<home>/kafka` and the cache.
"""

from collections.abc import Sequence
from pathlib import Path

from arena.broker_files import BrokerFiles, broker_files_of
from arena.broker_state import Ports, read_state
from arena.errors import DependencyMissing
from arena.progress import Progress, Step, no_progress
from operations.localbroker.broker_spec import BrokerHandle, BrokerSpec
from operations.localbroker.errors import PortTaken
from operations.localbroker.external_listener import ExternalListener, write_listener
from operations.localbroker.fallback import prepare_kafka_or_fallback
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.ports import LOOPBACK, can_bind, choose_ports
from operations.localbroker.process import BrokerProcess, wait_ready
from operations.localbroker.security import Security
from operations.localbroker.start_lock import start_lock
from operations.processes.stop_on_exit import StopOnExit

PORT_ATTEMPTS = 3


class LocalBroker(StopOnExit):
    """Starts, stops and kills one broker on one data directory."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        cache: Path | None = None,
        allow_fallback: bool = True,
        security: Security | None = None,
        external: ExternalListener | None = None,
        dump_classes: Path | None = None,
        java_flags: Sequence[str] = (),
    ) -> None:
        """Set what `start` will start.

        Args:
            home: The arena's local state (`.arena`); the broker's files are in `home/kafka`.
            host: The IPv4 address to listen on and to advertise.
            port: The client port: this number or an error, 0 for any free port, None for 9092
                if it is free and any other port if not.
            cache: The folder for jars and wheels; None for `cache_root()`.
            allow_fallback: Use the memory-only broker if Kafka cannot be fetched.
            security: The accounts that may connect; None if every client may. Excludes the
                fallback.
            external: The listener for other hosts; None for none. Excludes the fallback.
            dump_classes: The file for a class archive, written when the broker is stopped.
            java_flags: More flags of its Java, such as a larger heap; the fallback ignores them.
        """
        self._files = broker_files_of(home)
        self._host = host
        self._port = port
        self._cache = cache
        self._security = security
        self._external = external
        self._dump_classes = dump_classes
        self._java_flags = tuple(java_flags)
        self._allow_fallback = allow_fallback and security is None and external is None
        self._ports: Ports | None = None
        self._process: BrokerProcess | None = None

    @property
    def files(self) -> BrokerFiles:
        """The paths of its files."""
        return self._files

    def start(self, progress: Progress = no_progress) -> BrokerHandle:
        """Fetch what is missing, start the broker, and return once it serves.

        After `stop` or `kill` it may be called again: same data, same ports.

        Raises:
            PortTaken: The requested port is not free.
            FileRefused: A fetched file is not the one in the lock.
            DependencyMissing: Something else is missing; the error has a remedy.
        """
        with start_lock(self._files.root, "a broker", progress):
            self._require_not_running()
            return self._start_on_free_ports(progress)

    def stop(self) -> None:
        """Send SIGTERM and wait; send SIGKILL if it does not end."""
        self._end(kill=False)

    def kill(self) -> None:
        """Send SIGKILL, as in a crash: nothing is flushed. For tests."""
        self._end(kill=True)

    def detach(self) -> None:
        """Keep the broker running after this process; `arena broker stop` ends it."""
        if self._process is not None:
            self._process.detach()
            self._process = None

    def _start_on_free_ports(self, progress: Progress) -> BrokerHandle:
        """Start; if a chosen port was taken meanwhile and any port will do, choose again."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            ports = self._choose_ports()
            spec = self._prepare(ports, progress)
            try:
                return self._run(spec, ports, progress)
            except PortTaken:
                if self._port or attempt == PORT_ATTEMPTS:
                    raise
                self._ports = None
        raise AssertionError("the last attempt returns or raises")

    def _prepare(self, ports: Ports, progress: Progress) -> BrokerSpec:
        files, host, cache = self._files, self._host, self._cache
        if self._allow_fallback:
            return prepare_kafka_or_fallback(files, host, ports, cache=cache, progress=progress)
        return prepare_kafka(
            files,
            host,
            ports,
            cache=cache,
            progress=progress,
            security=self._security,
            external=self._external,
            dump_classes=self._dump_classes,
            java_flags=self._java_flags,
        )

    def _end(self, *, kill: bool) -> None:
        process = self._process
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.stop()
        self._process = None

    def _require_not_running(self) -> None:
        state = read_state(self._files.state)
        if self._process is not None or (state is not None and state.is_running()):
            where = f" on {state.bootstrap} (pid {state.pid})" if state else ""
            raise DependencyMissing(
                f"a broker is already running{where} on {self._files.root}",
                remedy="use it, stop it with: arena broker stop, or choose another ARENA_HOME",
            )

    def _choose_ports(self) -> Ports:
        """The ports of the last start if they are free, so that clients reconnect."""
        last = self._ports
        if last and can_bind(last.client, self._host) and can_bind(last.controller, self._host):
            return last
        wanted = last.client if last else self._port
        self._ports = choose_ports(wanted, self._host)
        return self._ports

    def _run(self, spec: BrokerSpec, ports: Ports, progress: Progress) -> BrokerHandle:
        process = BrokerProcess(spec, self._files, self._host, ports)
        try:
            ready_s = wait_ready([process], progress)
        except BaseException:
            process.kill()
            raise
        self._process = process
        if self._external:
            write_listener(self._files.root, self._external)
        where = f"ready on {process.bootstrap} in {ready_s:.1f} s"
        progress(Step("broker", where, finished=True))
        return process.handle(ready_s)
