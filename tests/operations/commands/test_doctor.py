"""`arena doctor`, and the preflight check."""

import json
import os
import shutil
import subprocess
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena.errors import ArenaError
from arena.findings import Finding, FindingState, broken
from arena.runs import newest_run
from arena.settings import Settings
from operations.commands import doctor_machine
from operations.commands.doctor_machine import (
    broker_findings,
    disk_finding,
    feed_findings,
    spec_findings,
)
from operations.commands.preflight import (
    not_started_document,
    preflight_arena,
    preflight_findings,
    prompt_of,
    require_not_broken,
)
from operations.specs.arena_spec import ArenaSpec, parse_spec
from tests.arena.model_server import ModelServer, closed_port, serving_in_thread
from tests.warm_commands import run_arena

KEY = "sk-planted-0123456789"
DEADLINE_S = 60
SPEC = """\
[arena]
products = ["BTC-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "good"
model_id = "toy"
base_url = "{good}"
api_key_env = "GOOD_KEY"

[[chat_nodes]]
name = "bad"
model_id = "toy"
base_url = "{bad}"
api_key_env = "BAD_KEY"

[competition]
snapshots = 3
strategies = ["momentum"]
models = ["good", "bad"]
baselines = ["cash"]
judge = false
"""


def spec_of(good: str, bad: str) -> ArenaSpec:
    """A contest with two chat nodes and a baseline."""
    return parse_spec(SPEC.format(good=good, bad=bad), path="c.toml")


def arena(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with its own home and keys, and without a broker."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "KAFKA_"))}
    environ |= {"ARENA_HOME": str(home), "GOOD_KEY": KEY, "BAD_KEY": KEY, "NO_COLOR": "1"}
    return run_arena(*words, env=environ, timeout_s=DEADLINE_S)


def test_quick_doctor_checks_the_machine_and_every_chat_node(tmp_path: Path) -> None:
    """JSON with the four fields; a refused key is broken, and no paid call is made."""
    spec = tmp_path / "c.toml"
    with (
        serving_in_thread(ModelServer()) as good,
        serving_in_thread(ModelServer(models_status=401)) as bad,
    ):
        spec.write_text(SPEC.format(good=good.base_url, bad=bad.base_url))
        done = arena(tmp_path, "doctor", str(spec), "--quick", "--json")

    assert 1 == done.returncode, done.stderr
    rows = json.loads(done.stdout)
    assert all({"check", "state", "detail", "remedy"} == set(row) for row in rows)
    states = {row["check"]: row["state"] for row in rows}
    assert {"python", "java", "broker", "disk", "keys"} < set(states)
    assert ("ok", "broken") == (states["good: key"], states["bad: key"])
    assert "ok" == states["baselines: model"]
    assert [] == good.bodies
    assert KEY not in done.stdout


def test_contest_with_a_refused_key_is_not_started(tmp_path: Path) -> None:
    """Exit code 1, cause and remedy; the dead are in the document and in the run's record."""
    spec, out = tmp_path / "c.toml", tmp_path / "out.json"
    with (
        serving_in_thread(ModelServer()) as good,
        serving_in_thread(ModelServer(models_status=401)) as bad,
    ):
        spec.write_text(SPEC.format(good=good.base_url, bad=bad.base_url))
        done = arena(tmp_path, "compete", "run", str(spec), "--json", str(out))

    assert 1 == done.returncode, done.stderr
    assert "nothing was started. bad: key:" in done.stderr
    assert "environment variable BAD_KEY" in done.stderr
    (dead,) = json.loads(out.read_text())["dead"]
    assert ("momentum-bad", 0, "auth") == (dead["agent"], dead["turns"], dead["code"])
    assert f"{bad.base_url}/models answers 401" in dead["cause"]
    newest = newest_run(tmp_path)
    assert newest is not None
    assert ["momentum-bad"] == [one.agent for one in newest[1].dead]


def test_arena_starts_without_a_server_but_not_with_a_refused_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may start later; a wrong key stays wrong."""
    monkeypatch.setenv("GOOD_KEY", KEY)
    with (
        serving_in_thread(ModelServer()) as good,
        serving_in_thread(ModelServer(models_status=401)) as bad,
    ):
        preflight_arena(
            spec_of(good.base_url, f"http://127.0.0.1:{closed_port()}"), tmp_path, skip=False
        )
        shown = capsys.readouterr().out
        with pytest.raises(ArenaError, match="BAD_KEY; --no-check skips this check") as stopped:
            preflight_arena(spec_of(good.base_url, bad.base_url), tmp_path, skip=False)
        preflight_arena(spec_of(good.base_url, bad.base_url), tmp_path, skip=True)

    assert "bad: address" in shown
    assert "cannot be reached" in shown
    assert 1 == stopped.value.exit_code


def test_contest_without_model_servers_checks_only_the_disk(tmp_path: Path) -> None:
    """Replayed replies and built-in rules need no server."""
    text = SPEC.format(good="http://127.0.0.1:1", bad="http://127.0.0.1:1")
    replay = parse_spec(text + 'replies = "replay"\n', path="c.toml")
    rules = parse_spec(text.replace('"toy"', '"scripted"'), path="c.toml")

    assert ["disk"] == [finding.check for finding in preflight_findings(replay, tmp_path, {})]
    assert ["disk"] == [finding.check for finding in preflight_findings(rules, tmp_path, {})]


def test_full_disk_stops_the_start_without_dead_agents(tmp_path: Path) -> None:
    """The document has the reason."""
    spec = spec_of("http://127.0.0.1:1", "http://127.0.0.1:1")
    full = broken("disk", "0.1 GB free", "free some space")
    out = tmp_path / "out.json"
    with pytest.raises(ArenaError, match="nothing was started. disk: 0.1 GB free"):
        require_not_broken(spec, [full], out)

    assert ([], "failed") == (
        json.loads(out.read_text())["dead"],
        not_started_document(spec, [full])["ended"],
    )


def test_check_uses_the_largest_prompt_of_a_nodes_agents() -> None:
    """An agent's size takes precedence over its node's."""
    text = SPEC.format(good="http://a", bad="http://b").replace(
        'api_key_env = "GOOD_KEY"', 'api_key_env = "GOOD_KEY"\nprompt = "tiny"'
    )
    spec = parse_spec(text, path="c.toml")
    one = spec.agents[0].model_copy(update={"prompt": "compact"})
    mixed = spec.model_copy(update={"agents": (*spec.agents, one)})

    assert ("tiny", "full") == tuple(prompt_of(node, spec) for node in spec.chat_nodes[:2])
    assert "compact" == prompt_of(spec.chat_nodes[0], mixed)


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "state"), [(3_000_000_000, "ok"), (1_000_000_000, "warning"), (100_000_000, "broken")]
)
def test_nearly_full_disk_is_reported(
    free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a home that does not exist yet, the parent folder is checked."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    (found,) = disk_finding(tmp_path / "not" / "there")

    assert state == found.state


@pytest.mark.parametrize(
    ("off_s", "states"),
    [(0, ("ok", "ok")), (8, ("ok", "warning")), (-90, ("ok", "broken"))],
)
def test_clock_is_compared_with_the_venue(off_s: float, states: tuple[str, str]) -> None:
    """The finding has the difference in seconds."""
    iso = (datetime.now(UTC) + timedelta(seconds=off_s)).isoformat()
    with serving_in_thread(ModelServer(extra={"/v1/time": {"iso": iso}})) as venue:
        feed, clock = feed_findings("coinbase", venue.base_url)

    assert states == (feed.state, clock.state)


def test_unreachable_feed_is_broken_with_other_markets_as_the_remedy() -> None:
    """The finding has its URL."""
    url = f"http://127.0.0.1:{closed_port()}"
    (found,) = feed_findings("coinbase", url)

    assert FindingState.BROKEN is found.state
    assert f"{url}/time" in found.detail
    assert "Errno" not in found.detail
    assert 'source = "exchange" and "replay" need none' in found.remedy


def test_named_broker_must_answer(tmp_path: Path) -> None:
    """Java and jars are not needed, and not checked."""
    address = f"127.0.0.1:{closed_port()}"
    settings = Settings().override(home=tmp_path)
    (found,) = broker_findings(settings, {"KAFKA_BOOTSTRAP_SERVERS": address})

    assert (FindingState.BROKEN, "broker") == (found.state, found.check)
    assert address in found.detail


def test_files_and_variables_of_a_specification_are_checked(tmp_path: Path) -> None:
    """Missing files are broken; a missing key is a warning, since a server may need none."""
    (tmp_path / "own.toml").write_text("")
    text = SPEC.format(good="http://a", bad="http://b")
    text = text.replace('"replay"\n', '"replay"\nprices = ["BTC-USD.csv"]\n')
    text = text.replace('["momentum"]', '["own.toml", "gone.toml"]')
    spec = parse_spec(text, path="c.toml")
    seen: dict[str, Finding] = {}
    for finding in spec_findings(spec, tmp_path, {"GOOD_KEY": KEY}):
        seen[finding.check] = finding

    assert ("broken", "broken", "warning") == tuple(
        seen[check].state for check in ("prices", "strategies", "keys")
    )
    assert "BTC-USD.csv" in seen["prices"].detail
    assert "not found: gone.toml" == seen["strategies"].detail
    assert "not set: BAD_KEY" == seen["keys"].detail
    assert doctor_machine.spec_findings(spec, tmp_path, {})[-1].detail.endswith("BAD_KEY, GOOD_KEY")


def test_doctor_has_each_chat_node_ask_its_model(tmp_path: Path) -> None:
    """Two calls in the node's own process; the output is text by default."""
    spec = tmp_path / "c.toml"
    with serving_in_thread(ModelServer(usage=False)) as server:
        text = SPEC.format(good=server.base_url, bad="http://127.0.0.1:1")
        spec.write_text(text.replace('"good", "bad"', '"good"').replace('"bad"', '"rules"'))
        spec.write_text(
            spec.read_text().replace('"toy"\nbase_url = "http://127.0.0.1:1"', '"scripted"')
        )
        done = arena(tmp_path, "doctor", str(spec))

    assert 0 == done.returncode, done.stdout + done.stderr
    assert " ok       good: tool call " in done.stdout
    assert " warning  good: usage " in done.stdout
    assert " ok       rules: model " in done.stdout
    assert " checks: " in done.stdout.splitlines()[-1]
    assert 2 == len(server.bodies)
