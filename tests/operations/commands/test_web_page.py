"""The page of a supervised run: whether it starts, on which port, and its settings."""

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from arena.errors import DependencyMissing
from operations.commands.web_page import choose_page, planned_page
from operations.localbroker.ports import choose_ports
from operations.specs.arena_spec import parse_spec
from operations.specs.web import WebTable, web_command
from operations.supervisor.plan import LaunchContext, plan


@pytest.fixture
def port() -> int:
    """A free port."""
    return choose_ports(0).client


def test_next_free_port_is_chosen_and_said(port: int) -> None:
    """A page that is asked for on a taken port gets the next one."""
    table = WebTable(port=port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        page = choose_page(table, None, None)

    assert page is not None
    assert page.port > port
    assert f"http://127.0.0.1:{page.port}/ (port {port} is taken)" in page.line


def test_runs_that_start_together_get_different_ports(port: int) -> None:
    """Neither has bound its port yet."""
    first, second = (choose_page(WebTable(port=port), None, None) for _ in range(2))

    assert first is not None
    assert second is not None
    assert first.port != second.port
    assert f"Page: http://127.0.0.1:{first.port}/" == first.line


def test_taken_port_of_the_flag_is_refused(port: int) -> None:
    """The error has the remedy."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(DependencyMissing, match=f"port {port} .*next free one"):
            choose_page(WebTable(), None, port)


@pytest.mark.parametrize(
    ("enabled", "flag", "starts"),
    [(True, None, True), (True, False, False), (False, None, False), (False, True, True)],
)
def test_flag_decides_over_the_file(enabled: bool, flag: bool | None, starts: bool) -> None:
    """Without a flag the file decides."""
    assert starts is (planned_page(WebTable(enabled=enabled), flag, None) is not None)


def test_plan_has_the_page_before_the_dashboard() -> None:
    """With the settings of the file; paths are relative to it."""
    text = """
[market]
source = "exchange"
[web]
host = "0.0.0.0"
tls_cert = "cert.pem"
tls_key = "key.pem"
hide_prompts = true
allow_hosts = ["agents.example.org", "a.example"]
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[[agents]]
name = "a"
strategy = "momentum"
chat_node = "rules"
"""
    spec = parse_spec(text, path="ARENA.toml")
    context = LaunchContext(("arena",), {}, Path("/spec"), dashboard_flags=(), web_port=8081)
    processes = plan(spec, context)

    assert ["web", "dashboard"] == [one.name for one in processes][-2:]
    assert (
        "arena web --port 8081 --title arena --host 0.0.0.0 --tls-cert /spec/cert.pem"
        " --tls-key /spec/key.pem --hide-prompts --allow-host agents.example.org"
        " --allow-host a.example"
    ) == " ".join(processes[-2].argv)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"host": "0.0.0.0"}, "insecure = true"),
        ({"host": "arena.example"}, "tls_cert and tls_key"),
        ({"tls_cert": "a.pem"}, "belong together"),
        ({"port": 0}, "port"),
        ({"allow_hosts": ["x.example:443"]}, "allow_hosts"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_unsafe_table_is_refused(values: dict[str, object], words: str) -> None:
    """Before anything starts."""
    with pytest.raises((ValidationError, ValueError), match=words):
        WebTable.model_validate(values)


def test_defaults_need_no_flags() -> None:
    """The command is the one that a user would type."""
    assert ["web", "--port", "8080", "--title", "x"] == web_command(WebTable(), Path(), "x", 8080)
