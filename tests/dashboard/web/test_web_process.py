"""`arena web` as a process, over a real Kafka: it starts, is killed, and ends."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.errors import EXIT_DEPENDENCY, EXIT_INTERRUPTED, EXIT_USAGE
from arena.read_topic import for_each_record
from arena.settings import Settings
from dashboard.model.results import Leaderboard
from operations.localbroker.ports import choose_ports
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario
from tests.operations.localbroker.processes import enable_ctrl_c
from tests.warm_commands import run_arena

DEADLINE_S = 60.0
STOP_S_MAX = 15.0
"""It is 0.6 to 0.9 s on an idle machine."""
ADDRESS = re.compile(r"http://\S+")


@contextlib.contextmanager
def page(settings: Settings, port: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`arena web` until the block ends, after it has printed its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "web", "--port", str(port), *words],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=enable_ctrl_c,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if ADDRESS.search(line):
                break
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Browser(threading.Thread):
    """Follows the events as a browser does: reconnects with the id of the last event.

    Attributes:
        turns: Ids of the turns that it saw, in their order.
        cuts: How often its stream was cut.
    """

    def __init__(self, address: str) -> None:
        """Take the address of the page."""
        super().__init__(daemon=True)
        self.turns: list[str] = []
        self.cuts = 0
        self.ended = threading.Event()
        self._address = address
        self._last = ""

    def run(self) -> None:
        """Follow until `ended` is set."""
        while not self.ended.is_set():
            headers = {"Last-Event-ID": self._last} if self._last else {}
            with (
                contextlib.suppress(httpx.HTTPError),
                httpx.stream(
                    "GET", f"{self._address}api/v1/events", headers=headers, timeout=20
                ) as answer,
            ):
                self._follow(answer)
            self.cuts += 1
            self.ended.wait(0.2)

    def _follow(self, answer: httpx.Response) -> None:
        kind = ""
        for line in answer.iter_lines():
            if self.ended.is_set():
                return
            name, _, value = line.partition(": ")
            if name == "id":
                self._last = value
            elif name == "event":
                kind = value
            elif name == "data" and kind == "turn":
                self.turns.append(json.loads(value)["turn_id"])


def wait_until_seen(browser: Browser, turn_ids: set[str]) -> None:
    """Wait until a browser has seen turns."""
    end_s = time.monotonic() + DEADLINE_S
    while not turn_ids <= set(browser.turns):
        assert time.monotonic() < end_s, turn_ids - set(browser.turns)
        time.sleep(0.05)


def turns_of(scenario: Scenario) -> set[str]:
    """Ids of the turns that ended in a scenario."""
    return {
        json.loads(record.value or b"")["turn_id"]
        for record in scenario.records
        if record.topic == topics.TURNS.name and record.kind == "Turn"
    }


@pytest.mark.timeout(240)
async def test_killed_page_loses_no_viewers_place(bus: KafkaBus, settings: Settings) -> None:
    """A viewer that resumes after kill -9 and a restart has received every turn."""
    port = choose_ports(0).client
    await bus.ensure_topics(topics.fixed_topics())
    scenario = Scenario().run(3)
    count = await publish(bus, scenario)
    browser = Browser(f"http://127.0.0.1:{port}/")
    with page(settings, port) as first:
        browser.start()
        wait_until_seen(browser, turns_of(scenario))
        first.kill()
        first.wait()
        scenario.run(2)
        count = await publish(bus, scenario, count)
    with page(settings, port):
        wait_until_seen(browser, turns_of(scenario))
        scenario.step()
        await publish(bus, scenario, count)
        wait_until_seen(browser, turns_of(scenario))
        browser.ended.set()

    assert browser.cuts >= 1
    browser.join(DEADLINE_S)


async def test_page_and_terminal_give_the_same_standings(bus: KafkaBus, settings: Settings) -> None:
    """Also the page that starts late; it sends heartbeats, and its token is private."""
    await bus.ensure_topics(topics.fixed_topics())
    await publish(bus, Scenario().run(8))
    port = choose_ports(0).client
    with page(settings, port):
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S
        ) as client:
            answer = await client.get("/api/v1/leaderboard")
            write = await client.post("/api/v1/halt", json={})
    done = run_arena("dashboard", "--once", "--json", env=environment(settings))
    standings = json.loads(done.stdout)

    board = Leaderboard.model_validate_json(answer.content)
    assert standings["agents"] == [one.model_dump(mode="json") for one in board.agents]
    assert standings["digest"] == board.digest
    assert 401 == write.status_code
    token = settings.home / "web-token"
    assert 0o600 == stat.S_IMODE(token.stat().st_mode)
    kinds: set[str] = set()
    await for_each_record(
        bus,
        topics.HEARTBEATS,
        lambda record: kinds.add(record.key_text.partition("/")[0]),
    )
    assert "web" in kinds


async def test_ctrl_c_ends_the_page_with_open_streams(bus: KafkaBus, settings: Settings) -> None:
    """Within moments, with exit code 130; a server that waits for its streams never ends."""
    await bus.ensure_topics(topics.fixed_topics())
    scenario = Scenario().run(1)
    await publish(bus, scenario)
    port = choose_ports(0).client
    browsers = [Browser(f"http://127.0.0.1:{port}/") for _ in range(3)]
    with page(settings, port) as process:
        for browser in browsers:
            browser.start()
        for browser in browsers:
            wait_until_seen(browser, turns_of(scenario))
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(DEADLINE_S)
        took_s = time.monotonic() - began_s
    for browser in browsers:
        browser.ended.set()

    assert EXIT_INTERRUPTED == code
    assert took_s < STOP_S_MAX


async def test_taken_port_is_said_with_the_remedy(bus: KafkaBus, settings: Settings) -> None:
    """Exit code 3."""
    await bus.ensure_topics(topics.fixed_topics())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_arena("web", "--port", str(port), env=environment(settings))

    assert EXIT_DEPENDENCY == done.returncode
    assert f"port {port} of 127.0.0.1 is in use; choose another --port" in done.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--host", "0.0.0.0"), "add --tls-cert and --tls-key, or --insecure"),
        (("--tls-cert", "x.pem"), "belong together"),
        (("--tls-cert", "x.pem", "--tls-key", "x.pem"), "--tls-cert x.pem: No such file"),
        (("--tls-cert", "README.md", "--tls-key", "README.md"), "not a certificate and its key"),
        (("--port", "70000"), "--port"),
        (("--allow-host", "https://x.example:443"), "without scheme and port"),
    ],
)
def test_unsafe_flags_are_refused(tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    """Before a broker is looked for."""
    done = run_arena("web", *words, env={**os.environ, "ARENA_HOME": str(tmp_path)})

    assert EXIT_USAGE == done.returncode
    assert error in done.stderr


def test_readable_token_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Others could use it."""
    token = tmp_path / "token"
    token.write_text("a-token-that-others-can-read\n")
    token.chmod(0o644)
    done = run_arena("web", "--port", "0", "--token-file", str(token), env=environment(settings))

    assert EXIT_USAGE == done.returncode
    assert "chmod 600" in done.stderr
