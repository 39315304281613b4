"""The broker that the workers of a test session share, with a start that starts nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing.connection import Client

import pytest

from tests.shared_broker import BrokerNotStarted, SharedBroker, ask_for_broker

WORKERS = 8


class FakeStart:
    """Starts a broker that is only an address, and notes each start and stop."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[str]:
        """Note the start and, at the end of the block, the stop."""
        self.events.append("started")
        try:
            yield "broker:1"
        finally:
            self.events.append("stopped")


def test_all_workers_get_one_broker() -> None:
    """It is started once, for the first worker that asks, and stopped at the end."""
    start = FakeStart()
    with closing(SharedBroker(start)) as shared, ThreadPoolExecutor(WORKERS) as workers:
        assert [] == start.events
        found = list(workers.map(ask_for_broker, [shared.location] * WORKERS))
        assert ["started"] == start.events

    assert ["broker:1"] * WORKERS == found
    assert ["started", "stopped"] == start.events


def test_session_without_requests_starts_no_broker() -> None:
    """Tests without Kafka start no Kafka."""
    start = FakeStart()

    SharedBroker(start).close()

    assert [] == start.events


def test_killed_worker_stops_no_other() -> None:
    """A worker that ends while it asks, and a stranger, leave the others their broker."""
    with closing(SharedBroker(FakeStart())) as shared:
        host, port, key = shared.location
        Client((host, port), authkey=key).close()
        Client((host, port)).close()

        assert "broker:1" == ask_for_broker(shared.location)


def test_every_worker_gets_the_error_of_the_start() -> None:
    """A broker that cannot be started is started once, and no worker waits for it."""
    starts: list[str] = []

    @contextmanager
    def refuse() -> Iterator[str]:
        starts.append("started")
        raise OSError("no space left")
        yield ""

    with closing(SharedBroker(refuse)) as shared:
        for _ in range(2):
            with pytest.raises(BrokerNotStarted, match="OSError: no space left"):
                ask_for_broker(shared.location)

    assert ["started"] == starts
