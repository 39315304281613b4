"""The compose file and the image, checked without a container engine."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from arena.settings import Settings
from dashboard.web.options import WebOptions
from operations.commands.demo_spec import STRATEGIES
from tests.dashboard.web.live_server import live_arena
from tests.operations.commands.cli import ROOT, arena

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
VARIABLE = re.compile(r"\$\{[A-Z_]+:?-([^}]*)\}")
NODES = {
    "topics",
    "exchange",
    "connector",
    "connector-live",
    "chat-node",
    *(f"router-{name}" for name in STRATEGIES),
    "tools",
    "judge",
    "ledger",
    "web",
    "alerts",
    "dashboard",
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:  # Any: YAML
    """The services of the compose file, with the defaults of its variables."""
    pytest.importorskip("yaml", reason="PyYAML reads the compose file")
    yaml = import_module("yaml")
    text = VARIABLE.sub(r"\1", COMPOSE.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


def test_every_node_has_a_service(services: dict[str, dict[str, Any]]) -> None:
    """There is one service per node, and the official Kafka image of the local broker's version."""
    assert set(services) == NODES | {"kafka"}
    assert services["kafka"]["image"] == "apache/kafka:4.3.1"
    for name in NODES:
        assert services[name]["build"]["dockerfile"] == "deploy/Dockerfile"


def test_keys_are_in_the_schema(services: dict[str, dict[str, Any]]) -> None:
    """The engine refuses misspelt keys; YAML does not."""
    known = {
        "build", "command", "depends_on", "environment", "healthcheck", "image", "init",
        "network_mode", "ports", "profiles", "restart", "stdin_open", "stop_grace_period", "tty",
        "volumes",
    }  # fmt: skip
    unknown = {key for service in services.values() for key in service} - known

    assert set() == unknown


def test_dependencies_exist(services: dict[str, dict[str, Any]]) -> None:
    """Every service waits for existing services, in states that they can reach."""
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            awaited = services[name]
            if how["condition"] == "service_healthy":
                assert "test" in awaited["healthcheck"]
            else:
                assert awaited["restart"] == "no"


@pytest.mark.parametrize("name", sorted(NODES))
def test_service_runs_a_command_that_exists(
    services: dict[str, dict[str, Any]], name: str, tmp_path: Path
) -> None:
    """Its command and flags are known."""
    words = shlex.split(services[name]["command"])

    done = arena(Settings(home=tmp_path), *words, "--help")

    assert done.returncode == 0, done.stderr


def test_file_has_no_key(services: dict[str, dict[str, Any]]) -> None:
    """The key comes from the environment, and reaches only the chat node."""
    with_key = {n for n, s in services.items() if "OPENAI_API_KEY" in s.get("environment", {})}

    assert with_key == {"chat-node"}
    assert not services["chat-node"]["environment"]["OPENAI_API_KEY"]


def test_file_has_no_address_of_a_receiver(services: dict[str, dict[str, Any]]) -> None:
    """It comes from the environment, and reaches only alerts."""
    having = {n for n, s in services.items() if "ARENA_ALERTS" in s.get("environment", {})}

    assert having == {"alerts"}
    assert not services["alerts"]["environment"]["ARENA_ALERTS"]


def test_ports_are_published_on_loopback_alone(services: dict[str, dict[str, Any]]) -> None:
    """Kafka and the page cannot be reached from other machines, and nothing else is published."""
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert {"kafka": ["127.0.0.1:9092:9092"], "web": ["127.0.0.1:8080:8080"]} == ports


def test_page_needs_its_token_and_keeps_it(services: dict[str, dict[str, Any]]) -> None:
    """It is not public, and its home with the token outlives the container."""
    words = shlex.split(services["web"]["command"])

    assert "--public" not in words
    assert "--token-file" not in words
    assert ["web:/var/lib/arena"] == services["web"]["volumes"]


def test_health_check_of_the_page(services: dict[str, dict[str, Any]]) -> None:
    """It passes if the page answers, without the token, and fails if nothing does."""
    _, python, flag, code = services["web"]["healthcheck"]["test"]
    assert ("python", "-c") == (python, flag)
    options = WebOptions(host="0.0.0.0")  # what is answered; the socket is on loopback

    with live_arena(options=options) as page:
        address = urlsplit(page.url).netloc
        assert 401 == httpx.get(f"{page.url}/api/v1/leaderboard").status_code
        own = code.replace("127.0.0.1:8080", address)
        assert own != code
        answered = subprocess.run([sys.executable, "-c", own], check=False)
    silent = subprocess.run([sys.executable, "-c", own], check=False, stderr=subprocess.DEVNULL)

    assert 0 == answered.returncode
    assert 0 != silent.returncode


def test_image_copies_existing_files_and_is_pinned() -> None:
    """The base image has a version, packages have hashes, and the user is not root."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    sources = [
        word
        for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    ]

    assert [] == [source for source in sources if not (ROOT / source).exists()]
    assert re.search(r"^FROM python:3\.11\.\d+-slim", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert re.search(r"^USER arena$", text, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)


def test_image_has_every_room_with_a_command() -> None:
    """A command whose room is not copied would fail only in the container."""
    from operations.main import COMMANDS

    rooms = {path.split(".")[0] for path, _ in COMMANDS.values()}
    copied = set(re.findall(r"^COPY (\w+) /app/", DOCKERFILE.read_text(), re.MULTILINE))

    assert rooms <= copied
