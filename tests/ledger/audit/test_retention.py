"""Records deleted by retention are counted as no longer kept; other gaps are violations."""

import random
from pathlib import Path

import pytest

from arena.exports import PartitionSpan, read_manifest
from ledger.audit import outcomes
from ledger.audit.checker import Scope
from ledger.audit.outcome_checks import NOT_KEPT
from ledger.audit.verify import no_longer_kept
from routers.replay import TurnReplay
from tests.ledger.audit.contest_log import COMMANDS, EVENTS, SNAPSHOTS, TICKERS, ContestLog
from tests.ledger.audit.retention import TopicPartition, deletable, truncate, write
from trading_tools.replay import COMMANDS_NOT_KEPT, OrderReplay
from trading_tools.replay import NOT_KEPT as PRICES_NOT_KEPT


def read_spans(records: Path) -> dict[str, dict[int, PartitionSpan]]:
    """Return the offsets of every topic in an export."""
    return {topic: file.partitions for topic, file in read_manifest(records).topics.items()}


def choose_offsets(log: ContestLog, seed: int) -> dict[TopicPartition, int]:
    """Choose where to truncate: everything, all but two records, a part, or nothing."""
    rng, begins = random.Random(seed), {}
    for topic, partition in deletable(log):
        end = log.spans[topic][partition].end
        ways = (0, end, max(0, end - 2), rng.randint(0, end), rng.randint(0, end))
        begins[topic, partition] = rng.choice(ways)
    return begins


@pytest.mark.parametrize("seed", range(6))
def test_retention_violates_no_invariant(log: ContestLog, seed: int) -> None:
    """No invariant fails, whichever partitions retention truncates and however far."""
    begins = choose_offsets(log, seed)

    assert {} == truncate(log, begins).failed(), begins


@pytest.mark.parametrize("seed", range(2))
def test_remaining_records_are_replayed(log: ContestLog, tmp_path: Path, seed: int) -> None:
    """A replay skips turns and orders that are incomplete, and finds no differences."""
    records = write(truncate(log, choose_offsets(log, seed)), tmp_path / "records")

    assert [] == TurnReplay(records).run().differences
    assert [] == OrderReplay(records).run().differences


def test_deleted_records_are_counted(log: ContestLog, tmp_path: Path) -> None:
    """Answers, commands and prices that are no longer kept are counted separately."""
    ends = {part: log.spans[part[0]][part[1]].end for part in deletable(log)}
    inboxes = truncate(
        log, {part: at for part, at in ends.items() if part[0].startswith("agent.inb")}
    )
    prices = write(truncate(log, {(TICKERS, 0): ends[TICKERS, 0]}), tmp_path / "prices")
    commands = write(truncate(log, {(COMMANDS, 0): ends[COMMANDS, 0]}), tmp_path / "commands")

    assert {TICKERS: ends[TICKERS, 0]} == no_longer_kept(Scope(read_spans(prices)))
    assert inboxes.results()[10].counts[NOT_KEPT] > 0
    assert OrderReplay(prices).run().counts[PRICES_NOT_KEPT] > 0
    assert OrderReplay(commands).run().counts[COMMANDS_NOT_KEPT] > 0


@pytest.mark.parametrize("topic", [SNAPSHOTS, TICKERS, COMMANDS])
def test_missing_record_after_the_beginning_is_reported(log: ContestLog, topic: str) -> None:
    """Retention deletes only the beginning: a later gap is still reported."""
    remaining = truncate(log, choose_offsets(log, 3) | {(topic, 0): 2})
    removed = remaining.records[topic].pop(len(remaining.records[topic]) // 2)
    found = remaining.failed()[7]

    assert f"offset {removed.offset}" in found.violations[0].expected


def test_missing_recent_answer_is_reported(
    log: ContestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention did not delete the answer to a call that is newer than the oldest answer."""
    monkeypatch.setattr(outcomes, "CLOCKS_DIFFER_MS", 0)
    topic = next(t for t in log.records if t.startswith("agent.inbox.") and log.records[t])
    remaining = truncate(log, {(topic, 0): 1})
    remaining.records[topic].pop()
    span = remaining.spans[topic][0]
    remaining.spans[topic] = {0: PartitionSpan(first=1, end=span.end - 1, count=span.count - 1)}

    assert remaining.failed()


def test_account_log_without_its_beginning_is_one_violation(log: ContestLog) -> None:
    """It is kept forever: the missing beginning is reported once, and no figure is guessed."""
    remaining = truncate(log, {(EVENTS, 0): 3})
    found = remaining.failed()

    assert [6] == list(found)
    assert 1 == found[6].failures
    assert "begins at offset 3" in found[6].violations[0].found
