"""Start, stop and restart of processes over HTTP; a stand-in supervisor in memory answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from arena import topics
from arena.bus.base import LATEST
from arena.bus.memory import MemoryBus
from arena.messages import Heartbeat, ProcessCommand
from arena.messages.ops import REASON_CHARS_MAX
from arena.supervision import (
    SUPERVISED,
    SUPERVISOR,
    OutcomeState,
    ProcessAddress,
    Supervised,
    SupervisedProcess,
    outcome_of,
)
from dashboard.model.arena_reader import ArenaReader
from dashboard.web import process_commands
from dashboard.web.options import WebOptions
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import HOST, Served, serving

TOKEN = "a-token-that-only-tests-use"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OWN = {"Origin": f"http://{HOST}"}
PAGE = ProcessAddress("alpha", 7)
KINDS = {
    "tools": "executor",
    "chat-node-rules": "chat-node",
    "judge": "judge",
    "web": "web",
    "dashboard": "dashboard",
}


class Supervisor:
    """Obeys commands by saying so; one for the judge is refused, one for the dashboard ignored.

    Attributes:
        received: The commands that it read.
    """

    def __init__(self, bus: MemoryBus) -> None:
        """Take the bus of the arena."""
        now = datetime.now(UTC)
        self.received: list[ProcessCommand] = []
        self._bus = bus
        self._report = Supervised(
            run="r1",
            processes=tuple(
                SupervisedProcess(name=name, kind=kind, state="running", pid=pid, since=now)
                for pid, (name, kind) in enumerate(KINDS.items(), 4)
            ),
        )

    async def beat(self) -> None:
        """Send its heartbeat."""
        now = datetime.now(UTC)
        beat = Heartbeat(
            node="supervisor/r1/alpha/1", kind=SUPERVISOR, name="r1", host="alpha", pid=1,
            started_at=now, at=now, details={SUPERVISED: self._report.detail()},
        )  # fmt: skip
        await self._bus.append(topics.HEARTBEATS.name, beat, key=beat.node)

    async def run(self) -> None:
        """Answer until cancelled."""
        reader = await self._bus.log_reader(topics.SUPERVISION.name, start=LATEST)
        await self.beat()
        while True:
            for record in await reader.read(timeout_s=0.1):
                command = record.message()
                assert isinstance(command, ProcessCommand)
                self.received.append(command)
                if command.process != "dashboard":
                    self._decide(command)
                    await self.beat()

    def _decide(self, command: ProcessCommand) -> None:
        state: OutcomeState = "refused" if command.process == "judge" else "done"
        text = "it is old" if state == "refused" else "started, pid 99"
        outcome = outcome_of(command, state, text, command.issued_at)
        outcomes = (*self._report.outcomes, outcome)
        self._report = self._report.model_copy(update={"outcomes": outcomes})


@asynccontextmanager
async def supervised(
    options: WebOptions | None = None,
) -> AsyncIterator[tuple[Served, Supervisor]]:
    """The app, after it has read of its supervisor."""
    async with serving(Scenario().run(1), options, token=TOKEN, own=PAGE) as served:
        supervisor = Supervisor(served.bus)
        running = asyncio.ensure_future(supervisor.run())
        try:
            async with asyncio.timeout(20):
                while not served.reader.view.processes.newest:
                    await asyncio.sleep(0.01)
            yield served, supervisor
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def address(process: str, action: str, *, run: str = "r1", host: str = "alpha") -> str:
    """The address of a command."""
    return f"/processes/{host}/{run}/{process}/{action}"


async def post(client: httpx.AsyncClient, path: str, **body: object) -> httpx.Response:
    """Send a command as a program does."""
    return await client.post(f"/api/v1{path}", json=body, headers=BEARER)


async def test_command_is_sent_and_confirmed() -> None:
    """With the reason and the sender; the answer has the supervisor's words."""
    async with supervised() as (served, supervisor):
        path = address("chat-node-rules", "restart")
        answer = await post(served.client, path, reason="new key")

        assert 200 == answer.status_code, answer.text
        found = answer.json()
        assert ("done", "started, pid 99") == (found["state"], found["text"])
        assert "turns of its agents wait for the model" in found["effect"]
        assert 0 <= found["confirmed_s"] < 20
        (command,) = supervisor.received
        assert ("chat-node-rules", "restart", "new key", "web/tests") == (
            command.process, command.action, command.reason, command.by,
        )  # fmt: skip
        health = (await served.client.get("/api/v1/health")).json()
        (one,) = health["supervisors"]
        assert [*KINDS] == [process["name"] for process in one["processes"]]


@pytest.mark.parametrize(
    ("process", "action", "body", "status", "words"),
    [
        ("no-such", "stop", {}, 404, "there is no process"),
        ("tools", "stop", {}, 409, "no order of any agent is decided"),
        ("judge", "restart", {}, 409, "refused: it is old"),
        ("judge", "kill", {}, 422, ""),
        ("judge", "stop", {"reason": "x" * (REASON_CHARS_MAX + 1)}, 422, "reason"),
        ("judge", "stop", {"arguments": ["-x"]}, 422, "arguments"),
    ],
)
async def test_command_is_refused(
    process: str, action: str, body: dict[str, object], status: int, words: str
) -> None:
    """With the reason; what is wrong is never sent."""
    async with supervised() as (served, supervisor):
        answer = await post(served.client, address(process, action), **body)

        assert status == answer.status_code, answer.text
        assert words in answer.json()["error"]["message"]
        assert ("refused" in words) == bool(supervisor.received)


async def test_executor_stops_only_after_a_yes() -> None:
    """As with `arena process stop --yes`; a restart does not ask."""
    async with supervised() as (served, supervisor):
        assert 409 == (await post(served.client, address("tools", "stop"))).status_code
        assert 200 == (await post(served.client, address("tools", "restart"))).status_code
        assert 200 == (await post(served.client, address("tools", "stop"), yes=True)).status_code

        assert ["restart", "stop"] == [one.action for one in supervisor.received]


async def test_unknown_supervisors_are_named() -> None:
    """Another run, another host, or the beginning of a name."""
    async with supervised() as (served, supervisor):
        for path in (
            address("judge", "stop", run="r"),
            address("judge", "stop", run="r2"),
            address("judge", "stop", host="beta"),
        ):
            assert 404 == (await post(served.client, path)).status_code
        assert not supervisor.received


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_command_needs_the_token_and_an_own_origin(prefix: str) -> None:
    """401 without a token, 403 from another site."""
    async with supervised() as (served, supervisor):
        path = prefix + address("judge", "stop")
        foreign = {"Origin": "http://evil.example"}

        assert 401 == (await served.client.post(path, json={})).status_code
        for headers in (foreign, foreign | BEARER):
            assert 403 == (await served.client.post(path, json={}, headers=headers)).status_code
        assert not supervisor.received


async def test_public_page_has_no_commands() -> None:
    """Not even with the token."""
    async with supervised(WebOptions(public=True)) as (served, supervisor):
        assert 403 == (await post(served.client, address("judge", "stop"))).status_code
        form = await served.client.get(address("judge", "stop"))

        assert "<button" not in form.text
        assert not supervisor.received


async def test_page_restarts_itself_and_answers_first() -> None:
    """It does not wait for an outcome that it cannot live to see."""
    async with supervised() as (served, _):
        answer = await post(served.client, address("web", "restart"))

        assert (202, "sent") == (answer.status_code, answer.json()["state"])
        assert "the process of this page" in answer.json()["text"]
        assert 1 == len(served.bus.cluster.logs[topics.SUPERVISION.name, 0])


async def test_silent_supervisor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command may still be obeyed, so it is not an error."""
    monkeypatch.setattr(process_commands, "WAIT_S", 0.1)
    async with supervised() as (served, _):
        answer = await post(served.client, address("dashboard", "stop"))

        assert 202 == answer.status_code
        assert "was not confirmed within 0.1 s" in answer.json()["text"]


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_page_that_still_reads_does_not_say_that_no_supervisor_runs(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """After its own restart it does not know the heartbeats yet."""

    async def reading(_reader: ArenaReader, _timeout_s: float) -> bool:
        return False

    async with supervised() as (served, supervisor):
        monkeypatch.setattr(ArenaReader, "ready", reading)
        path = prefix + address("chat-node-rules", "restart")
        answer = await served.client.post(path, json={}, headers=BEARER)

    assert 503 == answer.status_code
    assert "still reading the records" in answer.text
    assert [] == supervisor.received


async def test_form_works_without_scripts() -> None:
    """The processes link to a form, which says what the command means and then what it did."""
    async with supervised() as (served, supervisor):
        client = served.client
        path = address("chat-node-rules", "stop")
        assert path not in (await client.get("/nodes")).text
        assert "Log in" in (await client.get(path)).text
        await client.post("/login", data={"token": TOKEN})

        assert f'href="{path}"' in (await client.get("/nodes")).text
        form = (await client.get(path)).text
        assert f'action="{path}"' in form
        assert "turns of its agents wait for the model" in form
        done = await client.post(path, data={"reason": "<b>key</b>"}, headers=OWN)
        refused = await client.post(address("judge", "stop"), data={}, headers=OWN)

        assert (200, 409) == (done.status_code, refused.status_code)
        assert "Done: started, pid 99." in done.text
        assert "stop of judge: refused: it is old" in refused.text
        assert "<b>key</b>" == supervisor.received[0].reason
        async with asyncio.timeout(20):
            while "&lt;b&gt;key&lt;/b&gt;" not in (await client.get("/nodes")).text:
                await asyncio.sleep(0.05)
