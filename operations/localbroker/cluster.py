"""`LocalCluster`: three brokers on this machine, each with its own data, any of which may die.

    with LocalCluster(Path(".arena")) as cluster:
        handle = cluster.start(print_progress())
        cluster.kill_node(2)
        cluster.start_node(2)

The brokers are combined KRaft nodes: each is broker and controller, so two of three keep both the
topics and the cluster going. Reads and writes `<home>/kafka/cluster.json`, which names their ports
for good, and `<home>/kafka/node-<n>/`. `start` is also the repair: it starts what does not run.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from arena.broker_files import BrokerFiles, broker_files_of
from arena.broker_state import (
    BrokerState,
    ClusterState,
    Ports,
    read_cluster,
    read_state,
    remove_state,
    write_cluster,
)
from arena.errors import DependencyMissing
from arena.processes import end_process, kill_process
from arena.progress import Progress, Step, no_progress
from operations.localbroker import config
from operations.localbroker.broker_spec import BrokerHandle
from operations.localbroker.cache import exclusive
from operations.localbroker.config import Quorum
from operations.localbroker.external_listener import ExternalListener, write_listener
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.ports import LOOPBACK, can_bind, choose_cluster_ports
from operations.localbroker.process import BrokerProcess, wait_ready
from operations.localbroker.security import Security
from operations.processes.stop_signals import terminate_as_interrupt

NODES = 3


class LocalCluster:
    """Starts, repairs, stops and kills the brokers of one cluster on one data directory."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        cache: Path | None = None,
        security: Security | None = None,
        external: ExternalListener | None = None,
    ) -> None:
        """Prepare nothing yet.

        Args:
            home: The arena's local state (`.arena`); the cluster's lies in `home/kafka`.
            host: The IPv4 address to listen on and to advertise.
            port: The first client port, the others follow; 0 or None for any free ones. Used
                by the first start alone: a cluster keeps its ports.
            cache: Where jars are kept; `cache_root()` where none is given.
            security: Who may connect; None where everybody may.
            outside: The listeners for other hosts; None for none.
        """
        self._files = broker_files_of(home)
        self._host = host
        self._port = port
        self._cache = cache
        self._security = security
        self._external = external
        self._processes: dict[int, BrokerProcess] = {}

    def __enter__(self) -> Self:
        """The cluster itself, not started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what was started here."""
        self.stop()

    def files(self, node_id: int) -> BrokerFiles:
        """Where one of the brokers keeps its things."""
        return self._files.node(node_id)

    def node(self, node_id: int) -> BrokerState | None:
        """One of the brokers, where it runs."""
        state = read_state(self.files(node_id).state)
        return state if state is not None and state.is_running() else None

    def start(self, progress: Progress = no_progress) -> BrokerHandle:
        """Start every broker that does not run, and return once all of them serve.

        Raises:
            PortTaken: The port of one is held by somebody else.
            DependencyMissing: Anything else that was missing, with its remedy.
        """
        return self._start(range(1, NODES + 1), progress)

    def start_node(self, node_id: int, progress: Progress = no_progress) -> BrokerHandle:
        """Start one broker; the others must make a majority with it."""
        return self._start([node_id], progress)

    def stop_node(self, node_id: int) -> None:
        """SIGTERM to one broker, which hands its leaderships over, and wait."""
        process = self._processes.pop(node_id, None)
        if process is not None:
            process.stop()
        elif (state := self.node(node_id)) is not None:
            end_process(state.pid, state.start_time_s)
            remove_state(self.files(node_id).state, state.pid)

    def kill_node(self, node_id: int) -> None:
        """SIGKILL to one broker, as a crash would."""
        process = self._processes.pop(node_id, None)
        if process is not None:
            process.kill()
        elif (state := self.node(node_id)) is not None:
            kill_process(state.pid, state.start_time_s)
            remove_state(self.files(node_id).state, state.pid)

    def stop(self) -> None:
        """End what was started here, all at once."""
        run_concurrently(self.stop_node, list(self._processes))

    def detach(self) -> None:
        """Let the brokers outlive this process; `arena broker stop` ends them."""
        for process in self._processes.values():
            process.detach()
        self._processes.clear()

    def _start(self, wanted: Iterable[int], progress: Progress) -> BrokerHandle:
        try:
            self._files.root.mkdir(parents=True, exist_ok=True)
            lock = self._files.root / "start.lock"
            with terminate_as_interrupt(), exclusive(lock, "broker", progress):
                cluster = self._place()
                missing = [n for n in wanted if self.node(n) is None]
                self._refuse_taken(cluster, missing)
                ready_s = self._run(cluster, missing, progress)
                if self._external:
                    write_listener(self._files.root, self._external)
                return self._handle(cluster, ready_s)
        except BrokenPipeError:
            raise  # who read the progress has left; the disk is fine
        except OSError as error:
            raise DependencyMissing(
                f"cannot start a cluster in {self._files.root}: {error.strerror or error}",
                remedy="free some space, or point ARENA_HOME at a directory that can be written",
            ) from error

    def _place(self) -> ClusterState:
        """The ports of the cluster: chosen once, kept since, for they are its members' names."""
        found = read_cluster(self._files.cluster)
        formatted = any(self.files(n).meta_properties.exists() for n in range(1, NODES + 1))
        if found is None or not formatted:
            found = ClusterState(
                cluster_id=config.cluster_id_from(os.urandom(16)),
                host=self._host,
                ports=choose_cluster_ports(NODES, self._port, self._host),
            )
            write_cluster(self._files.cluster, found)
        return found

    def _refuse_taken(self, cluster: ClusterState, missing: list[int]) -> None:
        for node_id in missing:
            ports = cluster.ports[node_id - 1]
            for port in (ports.client, ports.controller):
                if not can_bind(port, cluster.host):
                    raise DependencyMissing(
                        f"port {port} of broker {node_id} of the cluster in {self._files.root} "
                        "is taken by another process",
                        remedy="end that process: the brokers of a cluster keep their ports",
                    )

    def _run(self, cluster: ClusterState, missing: list[int], progress: Progress) -> float:
        started: list[int] = []
        try:
            for node_id in missing:
                self._processes[node_id] = self._spawn(cluster, node_id, progress)
                started.append(node_id)
            ready_s = wait_ready([self._processes[n] for n in started], progress)
        except BaseException:
            for node_id in started:
                self.kill_node(node_id)
            raise
        said = f"{len(started)} of {NODES} brokers started in {ready_s:.1f} s"
        progress(Step("broker", f"{said}: {cluster.bootstrap}", finished=True))
        return ready_s

    def _spawn(self, cluster: ClusterState, node_id: int, progress: Progress) -> BrokerProcess:
        files, ports = self.files(node_id), cluster.ports[node_id - 1]
        spec = prepare_kafka(
            files,
            cluster.host,
            ports,
            cache=self._cache,
            progress=progress,
            quorum=Quorum(cluster.cluster_id, node_id, _controllers(cluster.ports)),
            security=self._security,
            external=self._external,
        )
        return BrokerProcess(spec, files, cluster.host, ports)

    def _handle(self, cluster: ClusterState, ready_s: float) -> BrokerHandle:
        states = [s for n in range(1, NODES + 1) if (s := self.node(n)) is not None]
        first = states[0]
        return BrokerHandle(
            bootstrap=cluster.bootstrap,
            kind=first.kind,
            version=first.version,
            data_dir=self._files.root,
            pid=first.pid,
            log_file=Path(first.log_file),
            durable=True,
            note=f"{len(states)} of {NODES} brokers run",
            ready_s=ready_s,
            security=first.security,
        )


def run_concurrently(act: Callable[[int], None], node_ids: list[int]) -> None:
    """Do something to several brokers at the same time.

    A broker that leaves alone waits for the controllers, so the last of three that were stopped
    one after another would wait for controllers that are gone.
    """
    if node_ids:
        with ThreadPoolExecutor(len(node_ids)) as threads:
            list(threads.map(act, node_ids))


def _controllers(ports: tuple[Ports, ...]) -> tuple[int, ...]:
    return tuple(p.controller for p in ports)
