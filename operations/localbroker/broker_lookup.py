"""Finds the broker of a run: the configured one, one that is running here, or a new one.

Reads `KAFKA_BOOTSTRAP_SERVERS` and `<home>/kafka/broker.json`.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from arena.broker_state import BrokerState, local_state
from arena.credentials import PLAINTEXT
from arena.errors import ArenaError, UsageError
from arena.progress import Progress, Step, no_progress
from arena.settings import BOOTSTRAP_VARIABLE, Settings
from operations.localbroker.broker_spec import EXTERNAL, BrokerHandle, handle_of_state
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.probe import BrokerAnswer, probe, serves

SECURITY_VARIABLE = "KAFKA_SECURITY_PROTOCOL"
EXTERNAL_DEADLINE_S = 10.0
PROBE_INTERVAL_S = 0.2


@contextmanager
def find_or_start_broker(
    home: Path,
    *,
    port: int | None = None,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Iterator[BrokerHandle]:
    """Yield a broker that serves; if it was started here, stop it at the end.

    Args:
        home: The arena's local state (`.arena`).
        port: As for `LocalBroker`; used only if a broker is started.
        cache: As for `LocalBroker`.
        environ: Environment variables; None for those of this process.
        progress: Called with each step.

    Raises:
        BrokerUnavailable: The broker of `KAFKA_BOOTSTRAP_SERVERS` does not answer.
        DependencyMissing: No broker can be started; the error has a remedy.
    """
    addresses = (os.environ if environ is None else environ).get(BOOTSTRAP_VARIABLE, "").strip()
    state = local_state(home)
    if addresses:
        security = _security_of(addresses, state, os.environ if environ is None else environ)
        yield connect_external(addresses, state=state, security=security, progress=progress)
    elif state is not None and state.is_running() and is_answering(state.bootstrap, state.security):
        progress(Step("broker", f"already running on {state.bootstrap}", finished=True))
        yield handle_of_state(state)
    else:
        with open_home_broker(home, port=port, cache=cache) as broker:
            yield broker.start(progress)


def connect_external(
    addresses: str,
    *,
    state: BrokerState | None = None,
    security: str = PLAINTEXT,
    deadline_s: float = EXTERNAL_DEADLINE_S,
    progress: Progress = no_progress,
) -> BrokerHandle:
    """Return the broker at `addresses` ("host:port", comma-separated) when one of them answers.

    Its version is known only if it is the local broker of `state`: the protocol has no such field.
    A secure broker only shows that it serves; the first client finds out whether the credentials
    are right.

    Raises:
        BrokerUnavailable: None of the addresses answered in time.
        UsageError: An address has no port.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        for address in addresses.split(","):
            if is_answering(address, security):
                is_local = state is not None and _is_local_broker_at(state, address)
                progress(Step("broker", f"{addresses} answers", finished=True))
                return BrokerHandle(
                    bootstrap=addresses,
                    kind=EXTERNAL,
                    version=state.version if state is not None and is_local else None,
                    data_dir=None,
                    pid=None,
                    log_file=None,
                    durable=state.durable if state is not None and is_local else True,
                    security=security,
                )
        if time.monotonic() > deadline:
            raise _refusal(addresses, deadline_s)
        progress(Step("broker", f"waiting for {addresses}"))
        time.sleep(PROBE_INTERVAL_S)


def _refusal(addresses: str, deadline_s: float) -> ArenaError:
    """Return why the broker does not accept this client; asking takes some seconds."""
    from arena.bus.kafka_connect_errors import connection_error

    settings = Settings().override(bootstrap_servers=addresses)
    lead = f"broker {addresses} did not answer"
    return asyncio.run(connection_error(settings, lead, f" in {deadline_s:.0f} s"))


def is_answering(addresses: str, security: str) -> bool:
    """True if a broker answers on one of the addresses ("host:port", comma-separated).

    Raises:
        UsageError: An address has no port.
    """
    if security == PLAINTEXT:
        return any(probe_address(address) is not None for address in addresses.split(","))
    tls = security.endswith("SSL")
    return any(serves(*split_address(address), tls=tls) for address in addresses.split(","))


def _security_of(addresses: str, state: BrokerState | None, environ: Mapping[str, str]) -> str:
    """Return the protocol of the listener: the configured one, or that of the local broker."""
    if configured := environ.get(SECURITY_VARIABLE, "").strip():
        return configured
    is_local = state is not None and set(addresses.split(",")) <= set(state.bootstrap.split(","))
    return state.security if state is not None and is_local else PLAINTEXT


def _is_local_broker_at(state: BrokerState, address: str) -> bool:
    """True if the broker on an address is the local broker of a state."""
    if state.security != PLAINTEXT:
        return state.is_running() and address.strip() in state.bootstrap.split(",")
    answer = probe_address(address)
    return answer is not None and answer.cluster_id == state.cluster_id


def probe_address(address: str) -> BrokerAnswer | None:
    """Probe one "host:port".

    Raises:
        UsageError: The address has no port.
    """
    return probe(*split_address(address))


def split_address(address: str) -> tuple[str, int]:
    """Return the host and the port of an address.

    Raises:
        UsageError: It has no port.
    """
    host, separator, port = address.strip().rpartition(":")
    if not separator or not port.isdigit():
        raise UsageError(
            f"{address.strip()!r} is not a broker address",
            remedy=f"write {BOOTSTRAP_VARIABLE} as host:port, with commas between several",
        )
    return host.strip("[]"), int(port)
