"""Ports: refused by name where taken, chosen where free."""

import socket

import pytest

from arena.errors import UsageError
from arena.localbroker.errors import PortTaken
from arena.localbroker.ports import can_bind, choose_ports


def test_taken_port_is_refused_with_the_remedy() -> None:
    """The message names the port and how to choose another one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"port {port} .* is taken .*--port") as refusal:
            choose_ports(port)

    assert refusal.value.exit_code == 3


def test_given_port_is_kept() -> None:
    """A free port that was asked for is the client port; the controller gets another one."""
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
    """Without a wish the default port is used, or any other where that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr("arena.localbroker.ports.DEFAULT_PORT", taken)

        assert taken != choose_ports(None).client

    free = choose_ports(0).client
    monkeypatch.setattr("arena.localbroker.ports.DEFAULT_PORT", free)
    assert free == choose_ports(None).client


def test_foreign_address_is_wrong_usage() -> None:
    """An address of another machine cannot be listened on, and that is not "taken"."""
    with pytest.raises(UsageError, match=r"192\.0\.2\.1.* no IPv4 address of this machine"):
        choose_ports(9092, "192.0.2.1")
