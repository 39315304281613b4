"""Which broker a run uses: the one it was told, one that runs here already, or its own.

Reads `KAFKA_BOOTSTRAP_SERVERS` and `<home>/kafka/broker.json`.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from arena.errors import BrokerUnavailable, UsageError
from arena.localbroker.broker import LocalBroker
from arena.localbroker.config import BrokerFiles
from arena.localbroker.launch import EXTERNAL, BrokerHandle
from arena.localbroker.probe import BrokerAnswer, probe
from arena.localbroker.progress import Progress, Step, no_progress
from arena.localbroker.state import BrokerState, read_state

BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
EXTERNAL_DEADLINE_S = 10.0
PROBE_INTERVAL_S = 0.2


@contextmanager
def resolve_broker(
    home: Path,
    *,
    port: int | None = None,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Iterator[BrokerHandle]:
    """Yield a broker that serves; one that was started for this is stopped at the end.

    Args:
        home: The arena's local state (`.arena`).
        port: As for `LocalBroker`; used only where a broker is started.
        cache: As for `LocalBroker`.
        environ: Environment variables; the process's where none are given.
        progress: Told what is waited for.

    Raises:
        BrokerUnavailable: The broker of `KAFKA_BOOTSTRAP_SERVERS` does not answer.
        DependencyMissing: No broker can be started, with the remedy.
    """
    addresses = (os.environ if environ is None else environ).get(BOOTSTRAP_VARIABLE, "").strip()
    state = read_state(BrokerFiles(home.resolve() / "kafka").state)
    if addresses:
        yield connect_external(addresses, state=state, progress=progress)
    elif state is not None and state.is_running() and ask(state.bootstrap) is not None:
        progress(Step("broker", f"already running on {state.bootstrap}", finished=True))
        yield handle_of(state)
    else:
        with LocalBroker(home, port=port, cache=cache) as broker:
            yield broker.start(progress)


def connect_external(
    addresses: str,
    *,
    state: BrokerState | None = None,
    deadline_s: float = EXTERNAL_DEADLINE_S,
    progress: Progress = no_progress,
) -> BrokerHandle:
    """The broker at `addresses` ("host:port", comma-separated), once one of them answers.

    Its version is told where it is the local broker of `state`: the protocol has no such field.

    Raises:
        BrokerUnavailable: None of the addresses answered in time.
        UsageError: An address has no port.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        for address in addresses.split(","):
            answer = ask(address)
            if answer is not None:
                known = state is not None and state.cluster_id == answer.cluster_id
                progress(Step("broker", f"{addresses} answers", finished=True))
                return BrokerHandle(
                    bootstrap=addresses,
                    kind=EXTERNAL,
                    version=state.version if state is not None and known else None,
                    data_dir=None,
                    pid=None,
                    log_file=None,
                    durable=state.durable if state is not None and known else True,
                )
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"broker {addresses} did not answer in {deadline_s:.0f} s",
                remedy=f"is {BOOTSTRAP_VARIABLE} right? (arena broker start runs a local one)",
            )
        progress(Step("broker", f"waiting for {addresses}"))
        time.sleep(PROBE_INTERVAL_S)


def ask(address: str) -> BrokerAnswer | None:
    """Probe one "host:port".

    Raises:
        UsageError: The address has no port.
    """
    host, separator, port = address.strip().rpartition(":")
    if not separator or not port.isdigit():
        raise UsageError(
            f"{address.strip()!r} is no broker address",
            remedy=f"write {BOOTSTRAP_VARIABLE} as host:port, with commas between several",
        )
    return probe(host.strip("[]"), int(port))


def handle_of(state: BrokerState) -> BrokerHandle:
    """The handle of a local broker that was started earlier."""
    return BrokerHandle(
        bootstrap=state.bootstrap,
        kind=state.kind,
        version=state.version,
        data_dir=Path(state.data_dir) if state.data_dir else None,
        pid=state.pid,
        log_file=Path(state.log_file),
        durable=state.durable,
        note=state.note,
    )
