"""`arena audit` as one types it: what it prints, and with which exit code it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledger.audit.checker import InvariantStatus
from ledger.audit.replay import replay
from ledger.audit.sources import RecordSource
from ledger.audit.verify import account_digest
from ledger.cli_audit import audit_app
from tests.ledger.audit.world import EVENTS, TURNS, World, body_of, kind_of


def run(*words: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(audit_app, list(words))


def test_verify_says_what_it_looked_at(sound_records: Path) -> None:
    """All thirteen by number; the replay is named as left out where it is."""
    said = run("verify", str(sound_records), "--no-replay", "--json")

    assert 0 == said.exit_code
    document = json.loads(said.stdout)
    assert list(range(1, 14)) == [found["number"] for found in document["invariants"]]
    assert [8] == [f["number"] for f in document["invariants"] if f["status"] == "not_checkable"]
    assert document["ok"] is True


def test_verify_fails_where_something_is_wrong(world: World, tmp_path: Path) -> None:
    """Exit code 1, and the record in plain words."""
    index = world.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    record = world.change(TURNS, index, lambda body: body.update(prompt_sha256="0" * 64))
    records = world.write(tmp_path / "records")

    said = run("verify", str(records), "--no-replay")

    assert 1 == said.exit_code
    assert f"{TURNS}[{record.partition}]@{record.offset} (turn " in said.stdout
    assert "broken: 9" in said.stdout


def test_a_bundle_is_sealed_and_verified_without_a_broker(
    sound_records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export, verify, change one byte, verify: and nobody answers at the broker's address."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    key, bundle = tmp_path / "audit.pem", tmp_path / "sealed"
    public = run("keygen", str(key)).stdout.strip()
    sealed = run("export", str(bundle), "--run", str(sound_records), "--sign", str(key), "--json")
    digest = json.loads(sealed.stdout)["seal_sha256"]
    words = ("verify", str(bundle), "--no-replay", "--key", public, "--seal-sha256", digest)

    assert 0 == run(*words).exit_code
    path = bundle / "records" / f"{EVENTS}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    said = run(*words)
    assert 1 == said.exit_code
    assert "BROKEN" in said.stdout
    assert EVENTS in said.stdout


def test_an_order_by_chance_is_traced(sound_records: Path) -> None:
    """With --random the one argument is where the records are."""
    said = run("trace", "--random", str(sound_records), "--json")

    assert 0 == said.exit_code
    assert json.loads(said.stdout)["ok"] is True
    assert 2 == run("trace").exit_code or "no order is named" in str(run("trace").exception)


def test_the_replay_gives_the_same_in_other_processes(sound_records: Path) -> None:
    """Invariant 8: two processes each, with two hash seeds; the account hash is the fold's."""
    source = RecordSource("a contest", sound_records)

    result = replay(source, account_digest(source))

    assert InvariantStatus.PASS == result.status
    assert [] == result.violations
    assert 2 == result.counts["processes of routers"]
    assert result.counts["orders"] > 4


def test_a_turn_that_cannot_be_played_again_is_named(world: World, tmp_path: Path) -> None:
    """Invariant 8: a turn tells another last word than its model said."""
    index = world.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    record = world.change(TURNS, index, lambda body: body.update(memory="nothing happened"))
    source = RecordSource("a contest", world.write(tmp_path / "records"))

    result = replay(source, account_digest(source))

    assert InvariantStatus.FAIL == result.status
    location = f"{TURNS}[{record.partition}]@{record.offset}"
    assert location == result.violations[0].location
    assert body_of(record)["turn_id"] in result.violations[0].subject


@pytest.mark.parametrize("recorded", [True, False])
def test_a_turn_that_a_crash_cut_off_breaks_nothing(
    world: World, tmp_path: Path, recorded: bool
) -> None:
    """The last turn of an agent is aborted, or has no end: every invariant still holds."""
    agent = body_of(world.records[TURNS][-1])["agent"]
    mine = [i for i, r in enumerate(world.records[TURNS]) if body_of(r)["agent"] == agent]
    cut_off = {"outcome": "aborted", "messages": [], "rounds": [], "prompt_sha256": ""}
    if recorded:
        world.change(TURNS, mine[-1], lambda body: body.update(cut_off))
    else:
        world.drop(TURNS, mine[-1])
    source = RecordSource("a contest", world.write(tmp_path / "records"))

    assert {} == world.broken()
    assert InvariantStatus.PASS == replay(source, account_digest(source)).status


def test_an_account_hash_that_is_another_is_named(sound_records: Path) -> None:
    """Invariant 8: the accounts of this process are not those of the others."""
    result = replay(RecordSource("a contest", sound_records), "f" * 64)

    assert InvariantStatus.FAIL == result.status
    assert ["all accounts"] == [violation.subject for violation in result.violations]
