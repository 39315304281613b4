"""`LocalBroker`: one broker on this machine, from nothing to ready and back to nothing.

    with LocalBroker(Path(".arena")) as broker:
        handle = broker.start(print_progress())
        ...                                   # handle.bootstrap

A broker lives as long as the process that started it, however that one ends; `detach` is what
makes it stay. Reads and writes `<home>/kafka` and the cache.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from arena.broker_files import BrokerFiles, broker_files_of
from arena.broker_state import Ports, read_state
from arena.errors import DependencyMissing
from arena.progress import Progress, Step, no_progress
from operations.localbroker.broker_spec import BrokerHandle, BrokerSpec
from operations.localbroker.cache import exclusive
from operations.localbroker.errors import PortTaken
from operations.localbroker.external_listener import ExternalListener, write_listener
from operations.localbroker.fallback import prepare_kafka_or_fallback
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.ports import LOOPBACK, can_bind, choose_ports
from operations.localbroker.process import BrokerProcess, wait_ready
from operations.localbroker.security import Security
from operations.processes.stop_signals import terminate_as_interrupt

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
        security: Security | None = None,
        external: ExternalListener | None = None,
        dump_classes: Path | None = None,
    ) -> None:
        """Prepare nothing yet.

        Args:
            home: The arena's local state (`.arena`); the broker's lies in `home/kafka`.
            host: The IPv4 address to listen on and to advertise.
            port: The client port: a number or an error, 0 for any free one, None for 9092
                where it is free and any other where not.
            cache: Where jars and wheels are kept; `cache_root()` where none is given.
            allow_fallback: Use the memory-only broker where Kafka cannot be had.
            security: Who may connect; None where everybody may. There is no fallback with it.
            outside: The listener for other hosts; None for none. There is no fallback with it.
            dump_classes: Where the broker writes a class archive when it is stopped.
        """
        self._files = broker_files_of(home)
        self._host = host
        self._port = port
        self._cache = cache
        self._security = security
        self._external = external
        self._dump_classes = dump_classes
        self._allow_fallback = allow_fallback and security is None and external is None
        self._ports: Ports | None = None
        self._process: BrokerProcess | None = None

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
        except BrokenPipeError:
            raise  # who read the progress has left; the disk is fine
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
        if self._process is not None:
            self._process.detach()
            self._process = None

    def _start_on_some_ports(self, progress: Progress) -> BrokerHandle:
        """Start; where ports were free to choose and one was lost meanwhile, choose again."""
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

    def _refuse_second(self) -> None:
        state = read_state(self._files.state)
        if self._process is not None or (state is not None and state.is_running()):
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
