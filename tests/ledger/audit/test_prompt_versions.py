"""Invariant 9: turns name the version of their text that was in force at their snapshot."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.exports import PartitionSpan
from arena.messages import PromptDecided
from arena.prompt_versions import version_of
from ledger.audit.checker import Scope
from ledger.audit.decoding import DecodedRecord
from ledger.audit.prompt_versions import PromptVersionsCheck
from ledger.audit.turns import TurnIndex
from tests.ledger.audit.contest_log import TURNS, ContestLog, body_of, kind_of, reports, updating
from tests.routers.builders import AS_OF, WALL
from tests.routers.fake_peers import FakePeers, agent_config, playing
from tests.routers.test_coached_turns import FILE, put_into_force, turn, waiting_model

PROMPTS = topics.PROMPTS.name
Spoil = Callable[[ContestLog], object]


def check(log: ContestLog, *, live: bool = False) -> tuple[list[str], Counter[str]]:
    """The violations as text, and what was checked."""
    scope = Scope(log.spans, live=live)
    index, found, counts = TurnIndex(scope), list[str](), Counter[str]()

    def report(holds: bool, location: str, subject: str, expected: str, value: object) -> bool:
        if not holds:
            found.append(f"{location}: {expected}; {value}")
        return holds

    checked = PromptVersionsCheck(scope, index, report, counts)
    for name in (topics.ROSTER.name, PROMPTS, TURNS):
        for decoded in map(DecodedRecord, log.records.get(name, ())):
            index.take(decoded)
            checked.take(decoded, decoded.body or {})
    index.finish()
    checked.finish()
    return found, counts


def log_of(bus: MemoryBus) -> ContestLog:
    """The records of a bus that the check reads."""
    records: dict[str, list[Record]] = {}
    spans: dict[str, dict[int, PartitionSpan]] = {}
    for (topic, partition), log in bus.cluster.logs.items():
        if topic in (topics.ROSTER.name, PROMPTS, TURNS):
            records.setdefault(topic, []).extend(log)
            span = PartitionSpan(first=0, end=len(log), count=len(log))
            spans.setdefault(topic, {})[partition] = span
    return ContestLog(records, spans)


async def played(bus: MemoryBus) -> ContestLog:
    """By the file, a version that expires, its parent, the version again, a frozen file."""
    async with FakePeers(bus, waiting_model).working() as peers:
        async with playing(bus, agent_config()):
            await turn(peers, 0)
            await put_into_force(bus, "Trade boldly.", expires_s=90.0)
            for number in (1, 2):
                await turn(peers, number)
            back = PromptDecided(
                agent="alpha",
                version=version_of("Trade boldly."),
                action="rollback",
                author="person",
                by="cli/host",
                at=WALL,
                as_of=AS_OF + timedelta(minutes=2),
            )
            await bus.append(PROMPTS, back, key="alpha")
            await turn(peers, 3)
        async with playing(bus, replace(agent_config(), prompts="frozen")):
            await turn(peers, 4)
    return log_of(bus)


async def test_sound_turns_pass(memory_bus: MemoryBus) -> None:
    """Each by the fold of what its router had read, also an expired version."""
    found, counts = check(await played(memory_bus))

    assert [] == found
    assert 5 == counts["versions of prompts"]


def starts(log: ContestLog) -> list[int]:
    """Indices of the starts of turns."""
    return [n for n, one in enumerate(log.records[TURNS]) if kind_of(one) == "TurnStarted"]


async def test_what_was_not_in_force_is_named(memory_bus: MemoryBus) -> None:
    """Another version, an expired one, a text that is gone, an end that differs from its start."""
    sound, bold = await played(memory_bus), version_of("Trade boldly.")

    def spoilt(change: Spoil) -> str:
        log = sound.copy()
        change(log)
        found, _ = check(log)
        assert found, "a violation is reported"
        return " ".join(found)

    def start(number: int, **values: Any) -> Spoil:
        # Any: fields of the body.
        return lambda log: log.change(TURNS, starts(log)[number], updating(values))

    def end(log: ContestLog) -> None:
        first = next(n for n, one in enumerate(log.records[TURNS]) if kind_of(one) == "Turn")
        log.change(TURNS, first, updating({"version": bold}))

    assert f"at its snapshot, {FILE}; {bold}" in spoilt(start(2, version=bold))
    assert "which has no text" in spoilt(start(1, version="0" * 64))
    assert "prompts[0] up to offset 99; 4" in spoilt(start(0, read_to={"prompts": 99}))
    assert f"the version of its start, {FILE}; {bold}" in spoilt(end)
    assert f"the version of its file, {FILE}; {bold}" in spoilt(start(4, version=bold))
    assert "which was refused: no version has" in spoilt(lambda log: log.drop(PROMPTS, 1))


async def test_records_that_are_not_there_are_counted(memory_bus: MemoryBus) -> None:
    """A live audit reads `prompts` before the turns; an older export does not have it."""
    log = await played(memory_bus)
    log.change(TURNS, starts(log)[3], updating({"read_to": {"prompts": 99}}))
    live = check(log, live=True)
    del log.records[PROMPTS], log.spans[PROMPTS]
    without = check(log)

    assert ([], 1) == (live[0], live[1]["versions newer than these records"])
    assert ([], 4) == (without[0], without[1]["versions without the topic prompts"])


def test_real_contest_is_checked(log: ContestLog) -> None:
    """By the whole audit, on the records of real processes."""
    sound = log.results()[9]
    index = next(
        n
        for n, one in enumerate(log.records[TURNS])
        if kind_of(one) == "TurnStarted" and body_of(one)["version"]
    )
    record = log.change(TURNS, index, updating({"version": "0" * 64}))

    failed = log.failed()

    assert sound.counts["versions of prompts"] > 10
    assert [9] == [*failed]
    assert reports(failed[9], f"{TURNS}[{record.partition}]@{record.offset}")


@pytest.mark.parametrize("name", [PROMPTS, topics.FEEDBACK.name])
def test_old_exports_without_the_topics_pass(log: ContestLog, name: str) -> None:
    """As those of versions before there were any."""
    log.records.pop(name, None)
    log.spans.pop(name, None)

    assert {} == log.failed()
