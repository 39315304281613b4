"""`LocalCluster`: three brokers on this machine, each with its own data; any one may fail.

    with LocalCluster(Path(".arena")) as cluster:
        handle = cluster.start(print_progress())
        cluster.kill_node(2)
        cluster.start_node(2)

The brokers are combined KRaft nodes: each is broker and controller, so two of three keep both the
topics and the cluster available. Reads and writes `<home>/kafka/cluster.json`, which has their
permanent ports, and `<home>/kafka/node-<n>/`. `start` also repairs: it starts what does not run.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

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
from operations.localbroker.broker_spec import BrokerHandle, handle_of_state
from operations.localbroker.config import Quorum
from operations.localbroker.external_listener import ExternalListener, write_listener
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.ports import LOOPBACK, can_bind, choose_cluster_ports
from operations.localbroker.process import BrokerProcess, wait_ready
from operations.localbroker.security import Security
from operations.localbroker.start_lock import start_lock
from operations.processes.stop_on_exit import StopOnExit

NODES = 3


class LocalCluster(StopOnExit):
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
        """Set what `start` will start.

        Args:
            home: The arena's local state (`.arena`); the cluster's files are in `home/kafka`.
            host: The IPv4 address to listen on and to advertise.
            port: The first client port, the others follow; 0 or None for any free ones. Only
                the first start uses it: a cluster keeps its ports.
            cache: The folder for jars; None for `cache_root()`.
            security: The accounts that may connect; None if every client may.
            external: The listeners for other hosts; None for none.
        """
        self._files = broker_files_of(home)
        self._host = host
        self._port = port
        self._cache = cache
        self._security = security
        self._external = external
        self._processes: dict[int, BrokerProcess] = {}

    def files(self, node_id: int) -> BrokerFiles:
        """The paths of one broker's files."""
        return self._files.node(node_id)

    def node(self, node_id: int) -> BrokerState | None:
        """Return the state of one broker; None if it does not run."""
        state = read_state(self.files(node_id).state)
        return state if state is not None and state.is_running() else None

    def start(self, progress: Progress = no_progress) -> BrokerHandle:
        """Start every broker that does not run, and return once all of them serve.

        Raises:
            PortTaken: Another process has the port of a broker.
            DependencyMissing: Something else is missing; the error has a remedy.
        """
        return self._start(range(1, NODES + 1), progress)

    def start_node(self, node_id: int, progress: Progress = no_progress) -> BrokerHandle:
        """Start one broker; with the running ones it must be a majority."""
        return self._start([node_id], progress)

    def stop_node(self, node_id: int) -> None:
        """Send SIGTERM to one broker, which hands over its leaderships, and wait."""
        self._end_node(node_id, BrokerProcess.stop, end_process)

    def kill_node(self, node_id: int) -> None:
        """Send SIGKILL to one broker, as in a crash."""
        self._end_node(node_id, BrokerProcess.kill, kill_process)

    def stop(self) -> None:
        """Stop the brokers that were started here, all at the same time."""
        run_concurrently(self.stop_node, list(self._processes))

    def detach(self) -> None:
        """Keep the brokers running after this process; `arena broker stop` ends them."""
        for process in self._processes.values():
            process.detach()
        self._processes.clear()

    def _start(self, wanted: Iterable[int], progress: Progress) -> BrokerHandle:
        with start_lock(self._files.root, "a cluster", progress):
            cluster = self._read_or_choose_ports()
            missing = [n for n in wanted if self.node(n) is None]
            self._require_free_ports(cluster, missing)
            ready_s = self._run(cluster, missing, progress)
            if self._external:
                write_listener(self._files.root, self._external)
            return self._handle(cluster, ready_s)

    def _end_node(
        self,
        node_id: int,
        end_own: Callable[[BrokerProcess], None],
        end_pid: Callable[[int, float], object],
    ) -> None:
        """End a broker, whether this process started it or an earlier one."""
        process = self._processes.pop(node_id, None)
        if process is not None:
            end_own(process)
        elif (state := self.node(node_id)) is not None:
            end_pid(state.pid, state.start_time_s)
            remove_state(self.files(node_id).state, state.pid)

    def _read_or_choose_ports(self) -> ClusterState:
        """The ports of the cluster: chosen once, because its members know each other by them."""
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

    def _require_free_ports(self, cluster: ClusterState, missing: list[int]) -> None:
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
        detail = f"{len(started)} of {NODES} brokers started in {ready_s:.1f} s"
        progress(Step("broker", f"{detail}: {cluster.bootstrap}", finished=True))
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
        return replace(
            handle_of_state(states[0]),
            bootstrap=cluster.bootstrap,
            data_dir=self._files.root,
            durable=True,
            note=f"{len(states)} of {NODES} brokers run",
            ready_s=ready_s,
        )


def run_concurrently(action: Callable[[int], None], node_ids: list[int]) -> None:
    """Run an action on several brokers at the same time.

    A broker that stops waits for the controllers: the last of three that are stopped one after
    another would wait for controllers that have ended.
    """
    if node_ids:
        with ThreadPoolExecutor(len(node_ids)) as threads:
            list(threads.map(action, node_ids))


def _controllers(ports: tuple[Ports, ...]) -> tuple[int, ...]:
    return tuple(p.controller for p in ports)
