"""What the fold of the account log ignores stops no reader that folds it."""

from collections.abc import Callable

import orjson
import pytest

from arena.bus.base import Record
from arena.pass_overs import EVENTS
from dashboard.books import Books as ShownBooks
from judge.season.accounts_fold import AccountsFold
from ledger.audit.auditor import Auditor
from ledger.audit.checker import Scope
from ledger.batch import RowBatch
from ledger.posting import Poster
from tests.dashboard.scenario import Scenario

SCENARIO = Scenario().run(4)
SOUND = [record for record in SCENARIO.records if record.topic == EVENTS]
PLACE = {"epoch": 0, "owner": "zombie", "seq": 0, "prev": ""}
ORDER = {
    **PLACE,
    "source": {"offset": 0},
    "agent": "momentum",
    "snapshot_id": "",
    "outcome": "filled",
    "product_id": "x",
    "postings": [],
}
IGNORED = [
    ("Nothing", PLACE),
    ("", PLACE),
    ("Ticker", PLACE | {"at": "1e400"}),
    ("Epoch", PLACE),
    ("Epoch", PLACE | {"at": "soon"}),
    ("StateDigest", PLACE | {"format": 0, "sha256": "x"}),
    ("OrderDecided", ORDER),
    ("OrderDecided", ORDER | {"price": "NaN", "at": 7, "used": {"event_time": "soon"}}),
    ("AccountOpened", PLACE | {"source": {"offset": -9}, "agent": "", "postings": [], "at": "?"}),
]


def judged(records: list[Record]) -> str:
    """Digest of the judge's fold."""
    books = AccountsFold()
    for record in records:
        books.apply(record)
    assert not books.broken
    return books.digest()


def shown(records: list[Record]) -> str:
    """Digest of the dashboard's fold."""
    books = ShownBooks()
    for record in records:
        books.apply(record)
    assert not books.broken
    return books.digest()


def booked(records: list[Record]) -> str:
    """Digest of the ledger's fold; every event that counted has its rows."""
    poster, batch = Poster(), RowBatch()
    for record in records:
        poster.post(record, batch)
    assert len(SOUND) == poster.events
    return poster.shards[0].digest()


def audited(records: list[Record]) -> str:
    """Digest of the audit's fold, to which the log is sound."""
    auditor = Auditor(Scope({EVENTS: {}}))
    auditor.take_all(records)
    found = {result.number: result for result in auditor.results()}
    assert {1: [], 6: []} == {number: found[number].violations for number in (1, 6)}
    assert len(IGNORED) == found[6].counts["ignored"]
    return auditor.holdings.digest()


@pytest.mark.parametrize("reader", [judged, shown, booked, audited])
def test_ignored_records_stop_no_reader(reader: Callable[[list[Record]], str]) -> None:
    """Foreign kinds, zombies' events and claims, with fields that no message has."""
    middle = len(SOUND) // 2
    records = SOUND[:middle]
    for kind, body in IGNORED:
        records.append(Record(EVENTS, 0, 0, 0, b"k", orjson.dumps(body), {"type": kind.encode()}))
    records += SOUND[middle:]
    records = [record._replace(offset=offset) for offset, record in enumerate(records)]

    assert SCENARIO.shard.digest() == reader(records)
