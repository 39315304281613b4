"""The real brokers of a storm: one or three, with or without login, killed and restarted."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from arena import topics
from arena.credentials import ADMIN, credentials_for
from operations.localbroker.broker import LocalBroker
from operations.localbroker.broker_spec import BrokerHandle
from operations.localbroker.class_training import ensure_class_archive
from operations.localbroker.cluster import NODES, LocalCluster
from operations.localbroker.home_broker import open_home_broker
from operations.storm.checker_run import client_options
from operations.storm.client_errors import CLIENT_ERRORS
from operations.storm.storm_commands import PREFIX

ASK_TIMEOUT_S = 4.0
ASK_TIMEOUT_MS = 3_000
START_ATTEMPTS = 5


@dataclass
class Brokers:
    """Brokers on one home.

    Attributes:
        home: The home of the brokers and the arena.
        count: 1 or 3. secure: True if they require a login.
        down: Node ids that were killed and do not serve yet.
        up_at_s: Monotonic seconds when the last killed broker served again.
    """

    home: Path
    count: int
    secure: bool
    down: set[int] = field(default_factory=set)
    up_at_s: float = 0.0
    _local: LocalBroker | LocalCluster | None = None
    _handle: BrokerHandle | None = None

    def start(self) -> None:
        """Start all and wait until they serve; many restarts follow, so create the archive."""
        self._local = open_home_broker(self.home, nodes=self.count, secure=self.secure, port=0)
        ensure_class_archive()
        self._handle = self._local.start()

    @property
    def version(self) -> str:
        """The version of Kafka; "" if it is not known."""
        return (self._handle and self._handle.version) or ""

    @property
    def bootstrap(self) -> str:
        """The addresses for clients."""
        assert self._handle is not None, "the brokers are not started"
        return self._handle.bootstrap

    def login(self, principal: str = ADMIN) -> dict[str, str]:
        """Return the environment of a client: address, and login if one is required."""
        environ = credentials_for(self.home, principal) if self.secure else {}
        return {**environ, "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap}

    async def kill_and_restart(self, seconds: float) -> bool:
        """Kill the broker, or of three the leader of `account.events`; restart it after a wait.

        Returns:
            False if none was killed, because another one of three is still down.
        """
        if self.down:
            return False
        node_id = 1 if self.count == 1 else await self._leader()
        if node_id is None:
            return False
        local = self._local
        self.down.add(node_id)
        if isinstance(local, LocalCluster):
            cluster = local
            await asyncio.to_thread(cluster.kill_node, node_id)
            await asyncio.sleep(seconds)
            await _start_with_retries(lambda: cluster.start_node(node_id))
        elif isinstance(local, LocalBroker):
            await asyncio.to_thread(local.kill)
            await asyncio.sleep(seconds)
            await _start_with_retries(local.start)
        self.down.discard(node_id)
        self.up_at_s = time.monotonic()
        return True

    def stop(self) -> None:
        """Stop them."""
        if self._local is not None:
            self._local.stop()

    async def in_sync(self) -> bool:
        """True if every broker serves and is in sync for `account.events`."""
        if self.down:
            return False
        if self.count == 1:
            return True
        found = await self._partition()
        return found is not None and len(found["isr"]) == NODES

    async def _leader(self) -> int | None:
        found = await self._partition()
        return found["leader"] if found is not None and found["leader"] > 0 else None

    async def _partition(self) -> dict[str, Any] | None:  # Any: as aiokafka decodes it
        admin = AIOKafkaAdminClient(
            **client_options(self.login()), request_timeout_ms=ASK_TIMEOUT_MS
        )
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await admin.start()
                (found,) = await admin.describe_topics([PREFIX + topics.EVENTS.name])
        except CLIENT_ERRORS:
            return None
        finally:
            await admin.close()
        partitions: list[dict[str, Any]] = found["partitions"]
        return partitions[0] if partitions else None


async def _start_with_retries(start: Callable[[], object]) -> None:
    """Start a broker, with retries: on a busy machine the first start may take too long."""
    from arena.errors import DependencyMissing

    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            await asyncio.to_thread(start)
        except DependencyMissing:
            if attempt == START_ATTEMPTS:
                raise
        else:
            return
