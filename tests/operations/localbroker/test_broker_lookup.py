"""The broker that a run uses: configured, running, or new."""

from pathlib import Path

import pytest

from arena.broker_state import read_state
from arena.errors import BrokerUnavailable, UsageError
from arena.processes import started_at
from arena.settings import BOOTSTRAP_VARIABLE
from operations.localbroker.broker import LocalBroker
from operations.localbroker.broker_lookup import connect_external, find_or_start_broker
from operations.localbroker.broker_spec import EXTERNAL
from operations.localbroker.ports import choose_ports


def test_configured_broker_is_used(broker_address: str, tmp_path: Path) -> None:
    """The broker of the variable is used, and none is started."""
    with find_or_start_broker(tmp_path, environ={BOOTSTRAP_VARIABLE: broker_address}) as handle:
        assert (broker_address, EXTERNAL, None) == (handle.bootstrap, handle.kind, handle.version)

    assert not (tmp_path / "kafka").exists()


def test_one_address_that_answers_is_enough(broker_address: str) -> None:
    """Of several addresses, only one must answer."""
    addresses = f"127.0.0.1:{choose_ports(0).client}, {broker_address}"

    assert addresses == connect_external(addresses).bootstrap


def test_own_broker_is_started_and_stopped_and_a_running_one_is_shared(tmp_path: Path) -> None:
    """Without the variable, a broker is started for the block; a second block shares it."""
    with find_or_start_broker(tmp_path, port=0, environ={}) as handle:
        with find_or_start_broker(tmp_path, port=0, environ={}) as shared:
            assert (handle.pid, handle.bootstrap) == (shared.pid, shared.bootstrap)
        state = read_state(LocalBroker(tmp_path).files.state)
        own = {BOOTSTRAP_VARIABLE: handle.bootstrap}
        with find_or_start_broker(tmp_path, environ=own) as external:
            assert (EXTERNAL, "4.3.1") == (external.kind, external.version)
        assert state is not None
        assert state.is_running()

    assert started_at(state.pid) is None


def test_broker_that_does_not_answer_is_an_error_with_a_remedy() -> None:
    """The error has the address, the deadline and the remedy."""
    address = f"127.0.0.1:{choose_ports(0).client}"

    with pytest.raises(BrokerUnavailable, match=rf"{address} did not answer: .*arena broker start"):
        connect_external(address, deadline_s=0.1)


@pytest.mark.parametrize("address", ["localhost", "host:", "host:port", ":"])
def test_address_without_a_port_is_a_usage_error(address: str) -> None:
    """An invalid address is refused at once."""
    with pytest.raises(UsageError, match=r"write KAFKA_BOOTSTRAP_SERVERS as host:port"):
        connect_external(address)
