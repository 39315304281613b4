"""Records that the fold of the account log ignores stop none of its readers."""

from collections.abc import Callable

import orjson
import pytest

from arena.bus.base import Record
from arena.pass_overs import EVENTS
from dashboard.model.accounts_view import AccountsView
from judge.season.accounts_fold import AccountsFold
from ledger.audit.auditor import Auditor
from ledger.audit.checker import Scope
from ledger.batch import RowBatch
from ledger.posting import Poster
from tests.dashboard.scenario import Scenario

SCENARIO = Scenario().run(4)
SOUND = [record for record in SCENARIO.records if record.topic == EVENTS]
CHAIN_FIELDS = {"epoch": 0, "owner": "zombie", "seq": 0, "prev": ""}
ORDER = {
    **CHAIN_FIELDS,
    "source": {"offset": 0},
    "agent": "momentum",
    "snapshot_id": "",
    "outcome": "filled",
    "product_id": "x",
    "postings": [],
}
IGNORED = [
    ("Nothing", CHAIN_FIELDS),
    ("", CHAIN_FIELDS),
    ("Ticker", CHAIN_FIELDS | {"at": "1e400"}),
    ("Epoch", CHAIN_FIELDS),
    ("Epoch", CHAIN_FIELDS | {"at": "soon"}),
    ("StateDigest", CHAIN_FIELDS | {"format": 0, "sha256": "x"}),
    ("OrderDecided", ORDER),
    ("OrderDecided", ORDER | {"price": "NaN", "at": 7, "used": {"event_time": "soon"}}),
    (
        "AccountOpened",
        CHAIN_FIELDS | {"source": {"offset": -9}, "agent": "", "postings": [], "at": "?"},
    ),
]


def judge_digest(records: list[Record]) -> str:
    """Return the digest of the judge's fold."""
    books = AccountsFold()
    for record in records:
        books.apply(record)
    assert not books.broken
    return books.digest()


def dashboard_digest(records: list[Record]) -> str:
    """Return the digest of the dashboard's fold."""
    books = AccountsView()
    for record in records:
        books.apply(record)
    assert not books.broken
    return books.digest()


def ledger_digest(records: list[Record]) -> str:
    """Return the digest of the ledger's fold; every event that counted has rows."""
    poster, batch = Poster(), RowBatch()
    for record in records:
        poster.post(record, batch)
    assert len(SOUND) == poster.events
    return poster.shards[0].digest()


def audit_digest(records: list[Record]) -> str:
    """Return the digest of the audit's fold; the log violates nothing."""
    auditor = Auditor(Scope({EVENTS: {}}))
    auditor.take_all(records)
    found = {result.number: result for result in auditor.results()}
    assert {1: [], 6: []} == {number: found[number].violations for number in (1, 6)}
    assert len(IGNORED) == found[6].counts["ignored"]
    return auditor.holdings.digest()


@pytest.mark.parametrize("reader", [judge_digest, dashboard_digest, ledger_digest, audit_digest])
def test_ignored_records_stop_no_reader(reader: Callable[[list[Record]], str]) -> None:
    """Unknown kinds, and events and claims of zombies, with malformed fields."""
    middle = len(SOUND) // 2
    records = SOUND[:middle]
    for kind, body in IGNORED:
        records.append(Record(EVENTS, 0, 0, 0, b"k", orjson.dumps(body), {"type": kind.encode()}))
    records += SOUND[middle:]
    records = [record._replace(offset=offset) for offset, record in enumerate(records)]

    assert SCENARIO.shard.digest() == reader(records)
