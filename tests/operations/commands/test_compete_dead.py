"""A contest with a wrong key ends within seconds, and every command shows why."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from arena.runs import SPEC_FILE, newest_run
from arena.settings import Settings
from tests.operations.commands.cli import arena
from tests.operations.commands.contests import DEADLINE_S, Contests

REFUSED = "Incorrect API key provided: sk-wr***ng"
SPEC = """\
[arena]
name = "dead"
products = ["BTC-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "gpt"
model_id = "gpt-x"
base_url = "http://127.0.0.1:{port}/v1"
api_key_env = "KEY_OF_A_DEAD_CONTEST"

[competition]
snapshots = 200
strategies = ["momentum", "scalper"]
models = ["gpt"]
baselines = ["cash"]
judge = false
"""


class _Refuses(BaseHTTPRequestHandler):
    """Refuses every key; it has a list of models, behind a key, only if `lists` is set."""

    lists = False

    def do_GET(self) -> None:
        """404, or 401."""
        self._answer(401 if self.lists else 404, {"error": {"message": REFUSED}})

    def do_POST(self) -> None:
        """401."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(401, {"error": {"message": REFUSED, "code": "invalid_api_key"}})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name
        """Log nothing."""


@pytest.fixture(params=[False])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Port of the server; the parameter is its `lists`."""
    refuses = type("_Here", (_Refuses,), {"lists": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.timeout(120)
def test_contest_with_a_wrong_key_ends_without_ranks(
    settings: Settings, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 with the cause; the file of --json, judge and status list the same dead agents."""
    monkeypatch.setenv("KEY_OF_A_DEAD_CONTEST", "sk-wrong")
    spec, result = tmp_path / "dead.toml", tmp_path / "out.json"
    spec.write_text(SPEC.format(port=port))
    process = Contests(settings, spec).start(str(spec), "--json", str(result))
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 1, output
    document = json.loads(result.read_text())
    judged = arena(settings, "judge", "--once", "--json", "--prefix", document["prefix"])
    status = arena(settings, "status", "--json", "--prefix", document["prefix"])

    assert "Stopped: momentum-gpt and scalper-gpt were never alive" in output
    assert REFUSED in output
    assert "set the right key for its chat node" in output
    assert (document["ended"], document["report"]) == ("dead", None)
    assert document["snapshots"] < 10
    evaluation = json.loads(judged.stdout)
    assert [row["agent"] for row in evaluation["rows"]] == ["cash"]
    assert evaluation["verdict"].startswith("No verdict: every agent is dead.")
    assert (status.returncode, json.loads(status.stdout)["healthy"]) == (1, False)
    for listed in (document, evaluation, json.loads(status.stdout)):
        assert [one["agent"] for one in listed["dead"]] == ["momentum-gpt", "scalper-gpt"]
        assert all(REFUSED in one["cause"] and one["turns"] > 0 for one in listed["dead"])
        assert {one["code"] for one in listed["dead"]} == {"auth"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("port", [True], indirect=True)
def test_key_refused_before_the_start_is_shown_by_status_and_judge(
    settings: Settings, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started; the run's record has the dead agents, and can be resumed."""
    monkeypatch.setenv("KEY_OF_A_DEAD_CONTEST", "sk-wrong")
    spec, result = tmp_path / "dead.toml", tmp_path / "out.json"
    spec.write_text(SPEC.format(port=port))
    done = arena(settings, "compete", "run", str(spec), "--json", str(result))
    found = newest_run(settings.home)
    assert found is not None, done.stderr
    directory, run = found
    asked = ("--json", "--prefix", run.prefix)
    answers = [arena(settings, *words, *asked) for words in (("judge", "--once"), ("status",))]

    assert (done.returncode, run.is_running(), (directory / SPEC_FILE).exists()) == (1, False, True)
    for text in (result.read_text(), *(answer.stdout for answer in answers)):
        listed = json.loads(text)["dead"]
        assert [one["agent"] for one in listed] == ["momentum-gpt", "scalper-gpt"]
        assert {one["code"] for one in listed} == {"auth"}
        assert all("401" in one["cause"] for one in listed)
