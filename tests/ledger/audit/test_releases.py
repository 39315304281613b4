"""Records and homes of released versions are audited, replayed and continued."""

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.exports import read_manifest, read_records
from arena.messages import MarketSnapshot
from arena.runs import read_run
from arena.versions import FIRST, SECOND
from ledger.audit.auditor import Auditor
from ledger.audit.checker import InvariantResult, InvariantStatus, Scope
from ledger.audit.replay import _note_older
from operations.commands.market_time import restored_state
from routers.replay import TurnReplay
from tests.ledger.audit.contest_log import SNAPSHOTS
from trading_tools.replay import OrderReplay

FILES = Path(__file__).parents[2] / "fixtures" / "releases"
RELEASES = (FIRST, SECOND)


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records and the home of a version, named after it."""
    folder = tmp_path_factory.mktemp("release") / str(request.param)
    with tarfile.open(FILES / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_every_invariant_holds_and_the_version_is_named(release: Path) -> None:
    """No record of an older version is a violation, and the version is named."""
    records = release / "records"
    manifest = read_manifest(records)
    auditor = Auditor(Scope({t: f.partitions for t, f in manifest.topics.items()}))
    auditor.take_all(read_records(records, list(manifest.topics)))
    found = {v.number: v.status for v in auditor.results()}

    assert {InvariantStatus.PASS} == set(found.values()), found
    assert [release.name] == list(auditor.recorded.versions())
    assert auditor.recorded.describe().startswith(f"recorded by {release.name} (")


def test_orders_replay_by_the_rules_of_their_version(release: Path) -> None:
    """The decisions of the executor are the same, as far as the version recorded the inputs."""
    found = OrderReplay(release / "records").run()

    assert [] == found.differences
    assert found.older[release.name]["played"] > 0
    assert 0 == found.older[release.name]["otherwise"]


def test_turns_that_replay_differently_are_not_violations(release: Path) -> None:
    """Different prompts are counted, in a note that names the version."""
    found = TurnReplay(release / "records").run()
    result = InvariantResult(8, "replay", InvariantStatus.PASS)
    _note_older(result, "routers", release.name, found.older[release.name])

    assert ([], 0) == (found.differences, found.of_this_version)
    assert found.older[release.name]["played"] == found.counts["prompts"] > 0
    assert f"recorded by {release.name}" in result.notes[0]


def test_market_of_an_old_home_continues(release: Path) -> None:
    """The market starts no earlier than the newest snapshot; the record of the run is readable."""
    newest = datetime.min.replace(tzinfo=UTC)
    for record in read_records(release / "records", [SNAPSHOTS]):
        message = record.message()
        assert isinstance(message, MarketSnapshot)
        newest = max(newest, message.as_of)
    (run,) = (release / "home" / "runs").iterdir()
    markets = list((release / "home").glob("markets/*.json"))

    assert read_run(run) is not None
    assert (release.name != FIRST) == bool(markets)
    assert markets or restored_state({}, newest, datetime(2026, 11, 21, tzinfo=UTC), "")
