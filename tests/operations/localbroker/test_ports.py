"""Ports: refused if taken, chosen if free."""

import socket
from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.localbroker.errors import PortTaken
from operations.localbroker.ports import (
    EPHEMERAL_RANGE,
    FIRST_PORT,
    can_bind,
    choose_cluster_ports,
    choose_ports,
)


def test_taken_port_is_refused_with_the_remedy() -> None:
    """The error has the port and how to choose another one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"port {port} .* is taken .*--port") as refusal:
            choose_ports(port)

    assert refusal.value.exit_code == 3


def test_requested_port_is_used() -> None:
    """A free requested port is the client port; the controller has another one."""
    wanted = choose_ports(0).client

    ports = choose_ports(wanted)

    assert wanted == ports.client
    assert wanted != ports.controller


def test_zero_chooses_two_free_ports() -> None:
    """Two different ports that can be bound."""
    ports = choose_ports(0)

    assert ports.client != ports.controller
    assert can_bind(ports.client)
    assert can_bind(ports.controller)


def test_none_falls_back_to_any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a requested port the default is used, or any other if that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr("operations.localbroker.ports.DEFAULT_PORT", taken)

        assert taken != choose_ports(None).client

    free = choose_ports(0).client
    monkeypatch.setattr("operations.localbroker.ports.DEFAULT_PORT", free)
    assert free == choose_ports(None).client


def test_address_of_another_host_is_a_usage_error() -> None:
    """The port of another machine's address is not reported as taken."""
    with pytest.raises(UsageError, match=r"192\.0\.2\.1.* not an IPv4 address of this machine"):
        choose_ports(9092, "192.0.2.1")


def test_free_ports_are_not_ports_of_outgoing_connections() -> None:
    """A client that connects meanwhile cannot take the port of a server that is starting."""
    first = int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    found = [port for each in choose_cluster_ports(50) for port in (each.client, each.controller)]

    assert 100 == len(set(found))
    assert all(FIRST_PORT <= port < first for port in found)
    assert all(can_bind(port) for port in found)


@pytest.mark.parametrize("text", ["20000 60999", "1024 65535", "", "none"])
def test_any_free_port_is_used_if_all_are_for_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    """Some systems use nearly every port for connections, or do not say which."""
    file = tmp_path / "range"
    file.write_text(text)
    monkeypatch.setattr("operations.localbroker.ports.EPHEMERAL_RANGE", file)

    assert can_bind(choose_ports(0).client)
