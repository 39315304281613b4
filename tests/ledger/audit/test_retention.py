"""What retention deleted is said to be no longer kept; what is missing otherwise is broken."""

import random
from pathlib import Path

import pytest

from arena.exports import Span, read_manifest
from ledger.audit import outcomes
from ledger.audit.checker import Scope
from ledger.audit.outcome_checks import NOT_KEPT
from ledger.audit.verify import no_longer_kept
from routers.replay import TurnReplay
from tests.ledger.audit.retention import Part, cut, deletable, write
from tests.ledger.audit.world import COMMANDS, EVENTS, SNAPSHOTS, TICKERS, World
from trading_tools.replay import COMMANDS_NOT_KEPT, OrderReplay
from trading_tools.replay import NOT_KEPT as PRICES_NOT_KEPT


def read_spans(records: Path) -> dict[str, dict[int, Span]]:
    """What of every topic an export holds."""
    return {topic: file.partitions for topic, file in read_manifest(records).topics.items()}


def any_cut(world: World, seed: int) -> dict[Part, int]:
    """Some partitions lose everything, all but two records, or a part; others nothing."""
    rng, begins = random.Random(seed), {}
    for topic, partition in deletable(world):
        end = world.spans[topic][partition].end
        ways = (0, end, max(0, end - 2), rng.randint(0, end), rng.randint(0, end))
        begins[topic, partition] = rng.choice(ways)
    return begins


@pytest.mark.parametrize("seed", range(6))
def test_no_cut_gives_a_false_alarm(world: World, seed: int) -> None:
    """Whichever topics and partitions retention cut, and however far, no invariant fails."""
    begins = any_cut(world, seed)

    assert {} == cut(world, begins).broken(), begins


@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_is_played_again(world: World, tmp_path: Path, seed: int) -> None:
    """A replay leaves out what has lost its beginning, and calls nothing else different."""
    records = write(cut(world, any_cut(world, seed)), tmp_path / "records")

    assert [] == TurnReplay(records).run().differences
    assert [] == OrderReplay(records).run().differences


def test_what_is_gone_is_counted(world: World, tmp_path: Path) -> None:
    """Answers, commands and prices that are no longer kept are counted, each by its name."""
    ends = {part: world.spans[part[0]][part[1]].end for part in deletable(world)}
    inboxes = cut(world, {part: at for part, at in ends.items() if part[0].startswith("agent.inb")})
    prices = write(cut(world, {(TICKERS, 0): ends[TICKERS, 0]}), tmp_path / "prices")
    commands = write(cut(world, {(COMMANDS, 0): ends[COMMANDS, 0]}), tmp_path / "commands")

    assert {TICKERS: ends[TICKERS, 0]} == no_longer_kept(Scope(read_spans(prices)))
    assert inboxes.results()[10].counts[NOT_KEPT] > 0
    assert OrderReplay(prices).run().counts[PRICES_NOT_KEPT] > 0
    assert OrderReplay(commands).run().counts[COMMANDS_NOT_KEPT] > 0


@pytest.mark.parametrize("topic", [SNAPSHOTS, TICKERS, COMMANDS])
def test_a_record_that_is_missing_in_the_middle_is_broken(world: World, topic: str) -> None:
    """Retention deletes a beginning: a hole behind it is still found, and named."""
    left = cut(world, any_cut(world, 3) | {(topic, 0): 2})
    hole = left.records[topic].pop(len(left.records[topic]) // 2)
    found = left.broken()[7]

    assert f"offset {hole.offset}" in found.violations[0].expected


def test_an_answer_that_must_be_kept_is_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to a call that is newer than the oldest answer was not deleted by retention."""
    monkeypatch.setattr(outcomes, "CLOCKS_DIFFER_MS", 0)
    topic = next(t for t in world.records if t.startswith("agent.inbox.") and world.records[t])
    left = cut(world, {(topic, 0): 1})
    left.records[topic].pop()
    span = left.spans[topic][0]
    left.spans[topic] = {0: Span(first=1, end=span.end - 1, count=span.count - 1)}

    assert left.broken()


def test_a_log_of_accounts_without_its_beginning_is_one_fault(world: World) -> None:
    """It is kept forever: that its beginning is gone is said once, and no figure is guessed."""
    left = cut(world, {(EVENTS, 0): 3})
    found = left.broken()

    assert [6] == list(found)
    assert 1 == found[6].failures
    assert "begins at offset 3" in found[6].violations[0].found
