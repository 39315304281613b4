"""Records and homes that released versions left behind are audited, replayed and continued."""

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
from operations.commands.market_time import state_after
from routers.replay import TurnReplay
from tests.ledger.audit.world import SNAPSHOTS
from trading_tools.replay import OrderReplay

FILES = Path(__file__).parents[2] / "fixtures" / "releases"
RELEASES = (FIRST, SECOND)


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records and the home of a version, named like it."""
    folder = tmp_path_factory.mktemp("release") / str(request.param)
    with tarfile.open(FILES / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_every_invariant_holds_and_the_version_is_named(release: Path) -> None:
    """Nothing that an older version recorded is called broken, and its name is told."""
    records = release / "records"
    manifest = read_manifest(records)
    auditor = Auditor(Scope({t: f.partitions for t, f in manifest.topics.items()}))
    auditor.take_all(read_records(records, list(manifest.topics)))
    found = {v.number: v.status for v in auditor.results()}

    assert {InvariantStatus.PASS} == set(found.values()), found
    assert [release.name] == list(auditor.recorded.versions())
    assert auditor.recorded.describe().startswith(f"recorded by {release.name} (")


def test_orders_are_decided_again_by_the_rules_of_the_time(release: Path) -> None:
    """What the executor of the version decided is decided again, up to what it did not record."""
    found = OrderReplay(release / "records").run()

    assert [] == found.differences
    assert found.older[release.name]["played"] > 0
    assert 0 == found.older[release.name]["otherwise"]


def test_turns_that_come_out_otherwise_are_not_broken(release: Path) -> None:
    """Other prompts are counted, and said with the version's name."""
    found = TurnReplay(release / "records").run()
    result = InvariantResult(8, "replay", InvariantStatus.PASS)
    _note_older(result, "routers", release.name, found.older[release.name])

    assert ([], 0) == (found.differences, found.of_today)
    assert found.older[release.name]["played"] == found.counts["prompts"] > 0
    assert f"recorded by {release.name}" in result.notes[0]


def test_the_market_of_an_old_home_goes_forward(release: Path) -> None:
    """The first start begins no earlier than the newest snapshot; the run's record is read."""
    newest = datetime.min.replace(tzinfo=UTC)
    for record in read_records(release / "records", [SNAPSHOTS]):
        message = record.message()
        assert isinstance(message, MarketSnapshot)
        newest = max(newest, message.as_of)
    (run,) = (release / "home" / "runs").iterdir()
    markets = list((release / "home").glob("markets/*.json"))

    assert read_run(run) is not None
    assert (release.name != FIRST) == bool(markets)
    assert markets or state_after({}, newest, datetime(2026, 11, 21, tzinfo=UTC), ())
