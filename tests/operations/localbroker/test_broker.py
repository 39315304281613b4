"""A real local Apache Kafka: killed, restarted, refused, ended with its parent."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from arena.broker_state import read_state
from arena.errors import DependencyMissing
from arena.processes import started_at
from arena.progress import Step
from operations.localbroker.broker import LocalBroker
from operations.localbroker.broker_spec import APACHE_KAFKA, BrokerHandle
from operations.localbroker.errors import PortTaken
from operations.localbroker.probe import probe
from tests.operations.localbroker.kafka_client import append, create_topic, read
from tests.operations.localbroker.processes import enable_ctrl_c

DEADLINE_S = 20.0
RETURN_S_MAX = 8.0
RSS_BYTES_MAX = 260_000_000
HOLDER_SCRIPT = """
import sys, time
from pathlib import Path
from operations.localbroker.broker import LocalBroker
broker = LocalBroker(Path(sys.argv[1]), port=0, allow_fallback=False)
if sys.argv[2] == "ready":
    print(broker.start().pid, flush=True)
    time.sleep(600)
print("starting", flush=True)
broker.start()
"""


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """One broker for this module, not started yet."""
    with LocalBroker(tmp_path_factory.mktemp("home"), port=0, allow_fallback=False) as local:
        yield local


@pytest.fixture
def broker(module_broker: LocalBroker) -> LocalBroker:
    """The broker of this module, running; tests may stop or kill it."""
    state = read_state(module_broker.files.state)
    if state is None or not state.is_running():
        module_broker.start()
    return module_broker


def address_and_pid(broker: LocalBroker) -> tuple[str, int]:
    """Return address and pid of the running broker."""
    state = read_state(broker.files.state)
    assert state is not None
    return state.bootstrap, state.pid


async def test_killed_broker_is_back_soon_with_its_data(broker: LocalBroker) -> None:
    """After SIGKILL and start: same address and cluster, in seconds, with every acked record."""
    bootstrap, pid = address_and_pid(broker)
    values = [b"%d" % number for number in range(50)]
    assert await create_topic(bootstrap, "kept") == 0
    assert list(range(50)) == await append(bootstrap, "kept", values)
    before = probe(*_address(bootstrap))

    broker.kill()
    assert started_at(pid) is None
    handle = broker.start()

    assert bootstrap == handle.bootstrap
    assert before == probe(*_address(bootstrap))
    assert handle.ready_s < RETURN_S_MAX
    assert values == await read(bootstrap, "kept", 50)


def test_start_reports_its_steps_and_the_broker(broker: LocalBroker) -> None:
    """The caller's thread reports each step, the last with "ready"; the handle is the broker's.

    Kind, version, folder and process are right; the broker uses little memory.
    """
    seen: list[tuple[int, Step]] = []
    broker.stop()

    handle = broker.start(lambda step: seen.append((threading.get_ident(), step)))

    assert {threading.get_ident()} == {ident for ident, _ in seen}
    assert seen[-1][1].finished
    assert "ready on 127.0.0.1:" in seen[-1][1].detail
    assert (APACHE_KAFKA, "4.3.1", True, "") == (
        handle.kind,
        handle.version,
        handle.durable,
        handle.note,
    )
    assert broker.files.log_dirs == handle.data_dir
    assert handle.pid is not None
    assert psutil.Process(handle.pid).memory_info().rss < RSS_BYTES_MAX


def test_second_broker_on_the_same_home_is_refused(broker: LocalBroker) -> None:
    """The error names the running broker, which continues."""
    bootstrap, pid = address_and_pid(broker)
    home = broker.files.root.parent

    with pytest.raises(DependencyMissing, match=rf"already running on {bootstrap} \(pid {pid}\)"):
        LocalBroker(home, port=0).start()

    assert (bootstrap, pid) == address_and_pid(broker)
    assert probe(*_address(bootstrap)) is not None


def test_two_starts_at_the_same_time_start_one_broker(tmp_path: Path) -> None:
    """Of two starts on one home at the same time, one succeeds and one is refused."""
    outcomes: list[BrokerHandle | DependencyMissing] = []
    brokers = [LocalBroker(tmp_path, port=0, allow_fallback=False) for _ in range(2)]

    def start(local: LocalBroker) -> None:
        try:
            outcomes.append(local.start())
        except DependencyMissing as error:
            outcomes.append(error)

    threads = [threading.Thread(target=start, args=(local,)) for local in brokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for local in brokers:
        local.stop()

    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "BrokerHandle",
        "DependencyMissing",
    ]


def test_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The error has the port and a remedy; no process is left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        local = LocalBroker(tmp_path, port=port, allow_fallback=False)

        with pytest.raises(PortTaken, match=rf"port {port} .*--port"):
            local.start()

    assert read_state(local.files.state) is None


def test_interrupted_format_is_repeated(tmp_path: Path) -> None:
    """The next start formats the storage again."""
    with LocalBroker(tmp_path, port=0, allow_fallback=False) as local:
        local.start()
        local.stop()
        local.files.meta_properties.unlink()

        assert local.start().pid is not None


def test_stale_state_is_replaced(broker: LocalBroker) -> None:
    """The state of a broker that another process killed does not prevent the next start."""
    _, pid = address_and_pid(broker)
    psutil.Process(pid).kill()
    psutil.wait_procs([psutil.Process(pid)], timeout=DEADLINE_S)
    home = broker.files.root.parent

    with LocalBroker(home, port=0, allow_fallback=False) as other:
        handle = other.start()
        state = read_state(other.files.state)

    assert state is not None
    assert (handle.pid, handle.bootstrap) == (state.pid, state.bootstrap)
    broker.kill()


def test_broker_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """After SIGKILL of the process that started it, no broker is left."""
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLDER_SCRIPT, str(tmp_path), "ready"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    parent.kill()
    parent.wait(DEADLINE_S)

    _wait_gone(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_starting_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM or Ctrl-C between the start of the process and "ready" ends both."""
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLDER_SCRIPT, str(tmp_path), "starting"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=enable_ctrl_c,
    )
    state_path = tmp_path / "kafka" / "broker.json"
    deadline = time.monotonic() + DEADLINE_S
    while (state := read_state(state_path)) is None:
        assert time.monotonic() < deadline, "the broker was not started"
        time.sleep(0.01)

    parent.send_signal(number)
    parent.wait(DEADLINE_S)

    _wait_gone(state.pid)
    assert not state_path.exists()


def _address(bootstrap: str) -> tuple[str, int]:
    host, _, port = bootstrap.partition(":")
    return host, int(port)


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while started_at(pid) is not None:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_closed_pipe_during_the_start_is_not_reported_as_a_full_disk(tmp_path: Path) -> None:
    """`arena demo | head -1` closes the pipe while progress is printed: no other error."""

    def closed(step: Step) -> None:
        raise BrokenPipeError

    with (
        LocalBroker(tmp_path, port=0, allow_fallback=False) as local,
        pytest.raises(BrokenPipeError),
    ):
        local.start(closed)
