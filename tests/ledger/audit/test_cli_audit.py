"""The commands of `arena audit`: their output and exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledger.audit.checker import InvariantStatus
from ledger.audit.replay import replay
from ledger.audit.sources import RecordSource
from ledger.audit.verify import account_digest
from ledger.cli_audit import audit_app
from tests.ledger.audit.contest_log import EVENTS, TURNS, ContestLog, body_of, kind_of


def run(*words: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(audit_app, list(words))


def test_verify_reports_every_invariant(sound_records: Path) -> None:
    """All thirteen by number; a replay that was skipped is not checkable."""
    outcome = run("verify", str(sound_records), "--no-replay", "--json")

    assert 0 == outcome.exit_code
    document = json.loads(outcome.stdout)
    assert list(range(1, 14)) == [found["number"] for found in document["invariants"]]
    assert [8] == [f["number"] for f in document["invariants"] if f["status"] == "not_checkable"]
    assert document["ok"] is True


def test_verify_fails_on_a_violation(log: ContestLog, tmp_path: Path) -> None:
    """Exit code 1, and a line that names the record."""
    index = log.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    record = log.change(TURNS, index, lambda body: body.update(prompt_sha256="0" * 64))
    records = log.write(tmp_path / "records")

    outcome = run("verify", str(records), "--no-replay")

    assert 1 == outcome.exit_code
    assert f"{TURNS}[{record.partition}]@{record.offset} (turn " in outcome.stdout
    assert "broken: 9" in outcome.stdout


def test_bundle_is_sealed_and_verified_without_a_broker(
    sound_records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export, verify, change one byte, verify; no broker answers at the address."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    key, bundle = tmp_path / "audit.pem", tmp_path / "sealed"
    created = run("keygen", str(key))
    public = created.stdout.strip()
    sealed = run("export", str(bundle), "--run", str(sound_records), "--sign", str(key), "--json")
    digest = json.loads(sealed.stdout)["seal_sha256"]
    words = ("verify", str(bundle), "--no-replay", "--key", public, "--seal-sha256", digest)

    assert f"public key, for --key; the private key is in {key}" in created.stderr
    assert 0 == run(*words).exit_code
    path = bundle / "records" / f"{EVENTS}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    outcome = run(*words)
    assert 1 == outcome.exit_code
    assert "BROKEN" in outcome.stdout
    assert EVENTS in outcome.stdout


def test_random_order_is_traced(sound_records: Path) -> None:
    """With --random the only argument names the records."""
    outcome = run("trace", "--random", str(sound_records), "--json")

    assert 0 == outcome.exit_code
    assert json.loads(outcome.stdout)["ok"] is True
    assert 2 == run("trace").exit_code or "no order is named" in str(run("trace").exception)


def test_replay_in_other_processes_is_the_same(sound_records: Path) -> None:
    """Invariant 8: two processes per part, with two hash seeds, agree with the fold."""
    source = RecordSource("a contest", sound_records)

    result = replay(source, account_digest(source))

    assert InvariantStatus.PASS == result.status
    assert [] == result.violations
    assert 2 == result.counts["processes of routers"]
    assert result.counts["orders"] > 4


def test_turn_that_replays_differently_is_reported(log: ContestLog, tmp_path: Path) -> None:
    """Invariant 8: the memory in a turn differs from the answer of the model."""
    index = log.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    record = log.change(TURNS, index, lambda body: body.update(memory="nothing happened"))
    source = RecordSource("a contest", log.write(tmp_path / "records"))

    result = replay(source, account_digest(source))

    assert InvariantStatus.FAIL == result.status
    location = f"{TURNS}[{record.partition}]@{record.offset}"
    assert location == result.violations[0].location
    assert body_of(record)["turn_id"] in result.violations[0].subject


@pytest.mark.parametrize("recorded", [True, False])
def test_interrupted_turn_violates_nothing(log: ContestLog, tmp_path: Path, recorded: bool) -> None:
    """The last turn of an agent is aborted, or has no end, and every invariant holds."""
    agent = body_of(log.records[TURNS][-1])["agent"]
    mine = [i for i, r in enumerate(log.records[TURNS]) if body_of(r)["agent"] == agent]
    interrupted = {"outcome": "aborted", "messages": [], "rounds": [], "prompt_sha256": ""}
    if recorded:
        log.change(TURNS, mine[-1], lambda body: body.update(interrupted))
    else:
        log.drop(TURNS, mine[-1])
    source = RecordSource("a contest", log.write(tmp_path / "records"))

    assert {} == log.failed()
    assert InvariantStatus.PASS == replay(source, account_digest(source)).status


def test_different_account_hash_is_reported(sound_records: Path) -> None:
    """Invariant 8: the accounts of this process differ from those of the replay."""
    result = replay(RecordSource("a contest", sound_records), "f" * 64)

    assert InvariantStatus.FAIL == result.status
    assert ["all accounts"] == [violation.subject for violation in result.violations]
