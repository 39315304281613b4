"""A trial of shadow agents, from records: which snapshots count, and that the result is theirs."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from arena import topics
from arena.bus.base import Record
from arena.messages import Message, TrialEnded, TrialStarted
from arena.prompt_versions import version_of
from arena.wire import encode
from judge.prompts.live_trial import LiveTrial
from tests.judge.prompts.test_trial_arms import turn
from tests.routers.builders import AS_OF, snapshot

ARMS = ("champion", "challenger", "copy")
NAMES = {arm: f"shadow-{'0' * 12}-{arm}-1" for arm in ARMS}
INVENTED = "Reasoning: holding, the RSI is 98.76."
FINE = "Reasoning: holding."
ROOM = 3
"""Snapshots after the last one that counts."""


def started(snapshots: int = 60) -> TrialStarted:
    """A trial with one agent per arm."""
    return TrialStarted(
        trial_id="0" * 12,
        agent="momentum",
        champion=version_of("A"),
        challenger=version_of("B"),
        arms={arm: (name,) for arm, name in NAMES.items()},
        snapshots=snapshots,
        by="cli/host",
        at=AS_OF,
    )


def record(topic: str, message: Message, key: str, offset: int) -> Record:
    """A record of a message."""
    encoded = encode(message)
    return Record(topic, 0, offset, 0, key.encode(), encoded.value, dict(encoded.headers))


def market(count: int) -> list[Record]:
    """Snapshots, one a minute."""
    return [
        record(topics.SNAPSHOTS.name, snapshot(minute), "test", minute) for minute in range(count)
    ]


def answers(
    name: str, minutes: Sequence[int], text: str = FINE, **fields: object
) -> Iterator[Record]:
    """Turns of an agent on some snapshots."""
    for minute in minutes:
        found = turn(name, snapshot(minute).snapshot_id, text, **fields)
        yield record(topics.TURNS.name, found, name, minute)


def trial_of(*records: Record, snapshots: int = 60) -> LiveTrial:
    """The fold of some records."""
    trial = LiveTrial(started(snapshots), {})
    for one in records:
        trial.apply(one)
    return trial


def whole(champion: str = INVENTED, challenger: str = FINE, *, gap: int = 0) -> list[Record]:
    """The records of a trial in which nothing is traded.

    Args:
        champion: Words of the champion and its copy.
        challenger: Words of the challenger.
        gap: Snapshots in the middle that no agent answers.
    """
    minutes = [*range(30), *range(30 + gap, 60 + gap + ROOM)]
    words = dict(zip(ARMS, (champion, challenger, champion), strict=True))
    turns = [one for arm in ARMS for one in answers(NAMES[arm], minutes, words[arm])]
    return [*market(minutes[-1] + 1), *turns]


def test_better_decisions_are_promoted() -> None:
    """The champion invents figures; no account moved."""
    trial = trial_of(*whole())
    assert trial.is_complete()
    found = trial.ended("cli/host")
    assert ("promote", "live", 60, 1) == (
        found.verdict,
        found.market,
        found.periods,
        found.repeats,
    )
    assert found.quality is not None
    assert 0 < found.quality.low
    assert snapshot(60).as_of == found.as_of


def test_result_does_not_depend_on_the_order_or_on_later_records() -> None:
    """Two computations give the same bytes, also with another agent's turns."""
    records = whole()
    first = trial_of(*records).ended("cli/host")
    later = [one for arm in ARMS for one in answers(NAMES[arm], [70, 71], INVENTED)]
    others = list(answers("momentum", range(60), INVENTED))
    mixed = [*later, *others, *reversed(market(80)), *records]
    in_order = sorted(mixed, key=lambda one: (one.topic, one.offset))
    assert first.model_dump_json() == trial_of(*in_order).ended("cli/host").model_dump_json()


def test_pause_in_which_nothing_played_does_not_count() -> None:
    """As after a kill: the trial takes longer, and has as many decisions."""
    found = trial_of(*whole(gap=50)).ended("cli/host")
    assert ("promote", 60) == (found.verdict, found.periods)
    assert snapshot(110).as_of == found.as_of


def test_snapshots_count_once_every_agent_is_past_them() -> None:
    """From the first that every arm answered; a failed model answered nothing."""
    trial = trial_of(*market(20))
    assert (0, tuple(NAMES.values())) == (trial.progress().done, trial.progress().silent)
    for arm, minutes in (("champion", range(3, 20)), ("challenger", range(5, 20))):
        for one in answers(NAMES[arm], list(minutes)):
            trial.apply(one)
    assert (0, (NAMES["copy"],)) == (trial.progress().done, trial.progress().silent)
    failed = answers(NAMES["copy"], [4], outcome="failed", error="no key", cause="model")
    copies = [*failed, *answers(NAMES["copy"], [6, 7, 9, 12])]
    for one in copies:
        trial.apply(one)
    progress = trial.progress()
    assert 2 == progress.done, "from 6 to 7 and from 7 to 9: it may still send orders after 9"
    assert not trial.is_complete()
    assert trial_of(*market(20), *copies, snapshots=2).progress().silent


def test_stopped_trial_is_undecided() -> None:
    """With the reason, and how far it came."""
    records = [one for one in whole() if one.topic != topics.TURNS.name or one.offset < 12]
    found = trial_of(*records).stopped("stopped by cli/host", "cli/host", AS_OF + timedelta(1))
    assert ("undecided", ("stopped by cli/host",), 10) == (
        found.verdict,
        found.reasons,
        found.periods,
    )


@pytest.mark.parametrize(("champion", "challenger"), [(FINE, INVENTED), (FINE, FINE)])
def test_no_better_text_is_promoted(champion: str, challenger: str) -> None:
    """A worse one is kept out, and two alike are undecided."""
    found: TrialEnded = trial_of(*whole(champion, challenger)).ended("cli/host")
    assert ("keep" if challenger == INVENTED else "undecided") == found.verdict
