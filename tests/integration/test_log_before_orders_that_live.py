"""A log that was written before orders had several steps is read as it was then.

The fixture has the records of two agents with wallets, fills, rejections, a scrape, two epochs and
a state digest, and what the version that wrote them computed from them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import unpack_shard
from arena.errors import Malformed
from arena.exports import PartitionSpan
from arena.shards import digest_of
from dashboard.model.view import ArenaView
from judge.season.accounts_fold import AccountsFold
from ledger.compare import compare, fold_figures
from ledger.database import Database
from ledger.digest import books_digest
from ledger.location import books_location
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.reconcile import book_figures
from ledger.writer import Writer
from tests.ledger.audit.contest_log import EVENTS, TICKERS, ContestLog
from trading_tools.replay import OrderReplay

FIXTURE = Path(__file__).parents[1] / "fixtures" / "log_before_orders_that_live.json"
Json = dict[str, Any]  # Any: decoded JSON


@pytest.fixture(scope="module")
def written() -> Json:
    """The fixture."""
    found: Json = json.loads(FIXTURE.read_text())
    return found


@pytest.fixture(scope="module")
def log(written: Json) -> ContestLog:
    """Its records."""
    records: dict[str, list[Record]] = {}
    for one in written["records"]:
        headers = {"type": one["kind"].encode(), "schema": b"1"}
        key, value = one["key"].encode(), one["value"].encode()
        record = Record(one["topic"], 0, one["offset"], one["at_ms"], key, value, headers)
        records.setdefault(record.topic, []).append(record)
    spans = {t: {0: PartitionSpan(first=0, end=len(r), count=len(r))} for t, r in records.items()}
    return ContestLog(records, spans)


@pytest.fixture(scope="module")
def shard(log: ContestLog) -> Shard:
    """The fold of its account log."""
    found = Shard()
    for record in log.records[EVENTS]:
        found.apply(record.kind, record.value, record.offset)
    return found


def test_it_folds_to_the_same_accounts(written: Json, shard: Shard) -> None:
    """Digest of the accounts, head of the chain and sequence number are those of then."""
    assert written["accounts"] == digest_of([shard])
    assert (written["head"], written["seq"]) == (shard.head, shard.seq)
    assert ({}, {}, 0) == (shard.standing, shard.risk, shard.ignored)


def test_its_checkpoint_is_read_or_refused_by_its_format(written: Json) -> None:
    """A stored state of that version is not taken for one of this version."""
    packed = bytes.fromhex(written["checkpoint"])

    with pytest.raises(Malformed, match=f"format {written['checkpoint_format']}"):
        unpack_shard(packed)


def test_its_books_are_the_same(
    written: Json, log: ContestLog, shard: Shard, tmp_path: Path
) -> None:
    """Their digest is the one of then, and their figures are those of the fold."""
    books = Database(books_location(tmp_path, "", None))
    books.upgrade()
    Writer(books).write(Projector(Poster(), {}).batch(log.records[EVENTS]))
    with books.reading() as connection:
        digest, found = books_digest(connection), book_figures(connection)
    books.close()

    assert written["books"] == digest
    assert [] == [line for line in compare(fold_figures({0: shard}), found, {}, {}) if line.drifts]


def test_it_is_audited_and_replayed(log: ContestLog, tmp_path: Path) -> None:
    """No invariant fails, and every order is decided again to the same bytes."""
    found = OrderReplay(log.write(tmp_path)).run()

    assert {} == log.failed()
    assert [] == found.differences
    assert 13 == found.counts["orders"]


def test_judge_and_dashboard_read_it(written: Json, log: ContestLog, shard: Shard) -> None:
    """Fills and rejections are those of the accounts; there are neither limits nor exits."""
    fold, view = AccountsFold(), ArenaView()
    for topic in (TICKERS, EVENTS):
        for record in log.records[topic]:
            view.apply(record)
    for record in log.records[EVENTS]:
        fold.apply(record)

    assert written["accounts"] == fold.digest() == view.accounts.digest()
    assert ({}, {}) == (fold.risk, fold.exits)
    assert ({}, {}) == (view.accounts.risk, view.accounts.exits)
    wallets = [one for owned in shard.wallets.values() for one in owned.values()]
    decided = sum(a.fills + a.rejections for a in (*shard.accounts.values(), *wallets))
    assert decided == sum(len([*rows]) for rows in fold.orders.values()) == 13
