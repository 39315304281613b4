"""`arena backtest` with models behind real HTTP: time stands still while they answer."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from arena import topics
from arena.exports import read_records
from arena.messages import LlmCall
from arena.runs import RECORDS
from operations.bench.stub_model import StubModel, closing_answer, trading_answer
from tests.operations.backtest.test_backtest import environment
from tests.operations.commands.cli import ROOT
from tests.operations.localbroker.processes import enable_ctrl_c
from tests.warm_commands import run_arena

SNAPSHOTS = 5
SPEC = """\
[arena]
name = "models"
products = ["BTC-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "one"
model_id = "gpt-5-nano"
base_url = "http://127.0.0.1:{port}/v1"
api_key_env = "A_KEY_NOBODY_HAS"

[[chat_nodes]]
name = "two"
model_id = "gpt-5-mini"
base_url = "http://127.0.0.1:{port}/v1"
api_key_env = "A_KEY_NOBODY_HAS"

[competition]
snapshots = {snapshots}
strategies = ["momentum"]
models = ["one", "two"]
baselines = []
"""
DEADLINE_S = 90


@dataclass
class Server:
    """A model server.

    Attributes:
        port: Its port.
        delay_s: Time from a request to its answer.
        requests: Number of requests.
        waiting: Requests that wait for their answer.
        most_waiting: The largest number of them.
    """

    port: int = 0
    delay_s: float = 0.0
    requests: int = 0
    waiting: int = 0
    most_waiting: int = 0


class SlowModel(StubModel):
    """The stub model, which takes its time."""

    def __init__(self, server: Server) -> None:
        """Take the server's counts."""
        super().__init__(trading_answer(1), closing_answer())
        self._server = server

    def data_received(self, data: bytes) -> None:
        """Answer later."""
        server = self._server
        server.requests += 1
        server.waiting += 1
        server.most_waiting = max(server.most_waiting, server.waiting)
        asyncio.get_running_loop().call_later(server.delay_s, self._answer_now, data)

    def _answer_now(self, data: bytes) -> None:
        self._server.waiting -= 1
        super().data_received(data)


@contextmanager
def serving(delay_s: float = 0.0) -> Iterator[Server]:
    """A model server in a thread."""
    server, loop = Server(delay_s=delay_s), asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        found = await loop.create_server(lambda: SlowModel(server), "127.0.0.1", 0)
        server.port = found.sockets[0].getsockname()[1]
        return found

    listening = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)


def backtest(
    home: Path, text: str, *words: str, check: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run a specification, without the check of the servers unless it is asked for."""
    spec = home / "contest.toml"
    spec.write_text(text)
    words = (*words, *(() if check else ("--no-check",)), "--json", str(home / "out.json"))
    return run_arena(
        "backtest", str(spec), *words, env=environment(home), cwd=home, timeout_s=DEADLINE_S
    )


def document(home: Path) -> dict[str, Any]:
    """What `--json` says."""
    found: dict[str, Any] = json.loads((home / "out.json").read_text())  # Any: JSON
    return found


def calls_of(found: dict[str, Any]) -> list[LlmCall]:
    """The model calls of a run."""
    records = read_records(Path(found["directory"]) / RECORDS, [topics.LLM_CALLS.name])
    messages = [record.message() for record in records]
    return [message for message in messages if isinstance(message, LlmCall)]


def test_slow_models_are_asked_in_parallel_and_miss_no_deadline(tmp_path: Path) -> None:
    """An answer that comes after the decision deadline of the market's time is not late."""
    text = SPEC.format(port="{port}", snapshots=2) + "decision_deadline_s = 1\n"
    with serving(delay_s=1.2) as server:
        ended = backtest(tmp_path, text.replace("{port}", str(server.port)))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    calls = calls_of(document(tmp_path))
    assert [call.outcome for call in calls] == ["ok"] * 8
    assert all(1200 <= call.latency_ms < 10_000 for call in calls)
    assert server.most_waiting == 2
    assert "8 calls" in ended.stdout


def test_replies_are_recorded_and_replayed(tmp_path: Path) -> None:
    """Recorded in a backtest, replayed in one: the same accounts, and nothing is asked twice."""
    with serving() as server:
        text = SPEC.format(port=server.port, snapshots=SNAPSHOTS) + 'replies = "record"\n'
        ended = backtest(tmp_path, text)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        recorded, asked = document(tmp_path), server.requests
        assert asked == 2 * 2 * SNAPSHOTS
        assert float(recorded["cost_usd"]) > 0
        assert backtest(tmp_path, text).returncode == 0
        again = document(tmp_path)
        assert server.requests == asked
    assert (again["tokens"], again["replies_replayed"]) == (0, asked)
    ended = backtest(tmp_path, text.replace('"record"', '"replay"'))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    replayed = document(tmp_path)
    assert (replayed["tokens"], replayed["replies_replayed"]) == (0, asked)
    digests = {found["account_digest"] for found in (recorded, again, replayed)}
    assert len(digests) == 1


def test_the_budget_ends_a_backtest_with_a_report(tmp_path: Path) -> None:
    """It is cut short after the call that spent it: at most the calls in flight go beyond."""
    with serving() as server:
        text = SPEC.format(port=server.port, snapshots=2_000) + "llm_budget_usd = 0.01\n"
        ended = backtest(tmp_path, text)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    found = document(tmp_path)
    assert found["ended"] == "budget"
    assert 0.01 <= float(found["cost_usd"]) < 0.013
    assert "of $0.01" in ended.stdout
    assert "Cut short: the models have cost $0.01" in ended.stdout
    assert Path(found["report"]).is_file()


def test_a_server_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    """Before the start by the check, and without it by the agents that never were alive."""
    with serving() as server:
        port = server.port
    text = SPEC.format(port=port, snapshots=SNAPSHOTS).replace(
        'model_id = "gpt-5-mini"\n', 'model_id = "scripted"\n'
    )
    text = "".join(
        line for n, line in enumerate(text.splitlines(keepends=True)) if n not in (17, 18)
    )
    refused = backtest(tmp_path, text, check=True)
    assert refused.returncode == 1
    assert "Problems found before the start" in refused.stdout
    assert not list((tmp_path / "runs").glob("*"))
    ended = backtest(tmp_path, text)
    assert ended.returncode == 1
    assert "momentum-one was never alive" in ended.stdout, ended.stdout + ended.stderr
    found = document(tmp_path)
    assert found["ended"] == "dead"
    assert [one["agent"] for one in found["dead"]] == ["momentum-one"]


@pytest.mark.timeout(60)
def test_ctrl_c_ends_a_backtest_that_waits_for_a_server(tmp_path: Path) -> None:
    """It neither waits for the answer nor leaves a run."""
    with serving(delay_s=3600) as server:
        spec = tmp_path / "contest.toml"
        text = SPEC.format(port=server.port, snapshots=SNAPSHOTS)
        spec.write_text(text + 'replies = "record"\n')
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "arena", "backtest", "--no-check", str(spec)],
            env=environment(tmp_path),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=enable_ctrl_c,
        )
        try:
            while not server.waiting:
                assert process.poll() is None, process.communicate()[0]
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130, output
    assert "Stopped by Ctrl-C" in output
    assert "the next run asks only for the others" in output
    assert "Traceback" not in output
    assert not list((tmp_path / "runs").glob("*"))


def test_a_dry_run_asks_nothing(tmp_path: Path) -> None:
    """Calls, tokens and dollars per model, without a key, a server or a run that is left."""
    with serving() as server:
        text = SPEC.format(port=server.port, snapshots=240)
        text += "llm_budget_usd = 0.01\nevery = '4m'\ndecisions_max = 50\n"
        ended = backtest(tmp_path, text, "--dry-run")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        found = document(tmp_path)
        text = text.replace("= 240", "= 8").replace("llm_budget_usd = 0.01\n", "")
        asked = backtest(tmp_path, text)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        played = document(tmp_path)
    assert [one["model"] for one in found["models"]] == ["gpt-5-nano", "gpt-5-mini"]
    assert [one["decisions"] for one in found["models"]] == [50, 50]
    assert (found["decisions"], found["calls"]) == (100, 200)
    assert 200 * 1_000 < found["tokens_in"] < 200 * 20_000
    assert float(found["cost_usd"]) > 0
    assert "is reached before the end" in ended.stdout
    # The server's model behaves as is assumed: one call with an order, one to end the decision.
    assert len(calls_of(played)) == server.requests == 2 * 2 * 2
    assert [path.name for path in (tmp_path / "runs").glob("*")] == [played["run"]]


def test_a_contest_is_estimated_in_the_same_way(tmp_path: Path) -> None:
    """`arena compete run --dry-run` needs no broker."""
    spec = tmp_path / "contest.toml"
    spec.write_text(SPEC.format(port=1, snapshots=SNAPSHOTS) + "pacing = 'real-time'\n")
    spec.write_text(spec.read_text().replace('source = "replay"', 'source = "exchange"'))
    words = ("compete", "run", str(spec), "--dry-run", "--json", str(tmp_path / "out.json"))
    ended = run_arena(*words, env=environment(tmp_path), cwd=tmp_path, timeout_s=DEADLINE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert document(tmp_path)["calls"] == 2 * 2 * SNAPSHOTS
