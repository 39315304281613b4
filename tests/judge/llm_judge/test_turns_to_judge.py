"""What is asked next follows from the topics alone: the fold of turns, judgements and replies."""

from datetime import timedelta
from typing import Any

from arena import topics
from arena.bus.base import Record
from arena.messages import ChatReply, Turn, TurnJudgement
from arena.wire import encode
from judge.evaluations.llm.sampling import Sampling
from judge.evaluations.llm.turns_to_judge import (
    FAILURES_MAX,
    PAUSE,
    RECORDS_KEPT_MAX,
    TurnsToJudge,
)
from tests.judge.llm_judge.judgements import RUBRIC, START, judgement
from tests.judge.llm_judge.recorded import waiting
from tests.judge.llm_judge.running import many_turns

NONE: frozenset[tuple[str, int]] = frozenset()


def record(turn: Turn) -> Record:
    """The record of a turn."""
    encoded = encode(turn)
    key, headers = turn.agent.encode(), dict(encoded.headers)
    return Record(topics.TURNS.name, 0, 0, 0, key, encoded.value, headers)


def state(share: float = 1.0, calls: int = 10_000) -> TurnsToJudge:
    """A fold without records; "random" is a baseline."""
    return TurnsToJudge(RUBRIC, "judge", Sampling(share, calls), lambda name: name != "random")


def judged(turn: Turn, number: int = 0, **changes: Any) -> TurnJudgement:
    """The judgement of a turn."""
    at = START + timedelta(minutes=number)
    return judgement(turn_id=turn.turn_id, at=at, **changes)


def test_turn_is_due_until_it_is_judged() -> None:
    """Neither while its answer is awaited; a planted turn does not count as the turn itself."""
    fold, turn = state(), waiting()
    assert fold.take_turn(record(turn))
    assert not fold.take_turn(record(turn))
    (asked, *_) = fold.due(4, NONE)

    assert (turn.turn_id, 0, "", "judge") == (
        asked.turn_id,
        asked.repeat,
        asked.planted,
        asked.node,
    )
    assert all(one.repeat == 1 for one in fold.due(4, frozenset({(turn.turn_id, 0)})))
    for other in ({"planted": "twin"}, {"node": "other"}, {"rubric": "older"}):
        fold.take_judgement(judged(turn).model_copy(update=other))
    assert fold.due(1, NONE)[0].repeat == 0
    fold.take_judgement(judged(turn))
    assert all(one.repeat == 1 for one in fold.due(4, NONE))


def test_turns_outside_the_sample_and_of_baselines_are_not_taken() -> None:
    """Nor are failed turns, and records of other kinds."""
    turn = waiting()
    others = [
        turn.model_copy(update={"agent": "random"}),
        turn.model_copy(update={"outcome": "failed"}),
        turn.model_copy(update={"messages": ()}),
    ]

    assert [False] * 3 == [state().take_turn(record(one)) for one in others]
    assert not state(share=0.0).take_turn(record(turn))
    skipped = record(turn)._replace(headers={"type": b"TurnStarted"})
    assert not state().take_turn(skipped)


def test_reply_that_came_before_a_restart_is_kept_for_its_turn() -> None:
    """The first one of a call counts; that of another node is not ours."""
    fold, turn = state(), waiting()
    fold.take_turn(record(turn))
    asked = fold.due(1, NONE)[0]
    reply = ChatReply(
        call_id=asked.call_id, asker="judge", node="judge", model="m", outcome="ok", text="{}"
    )
    fold.take_reply(reply)
    fold.take_reply(reply.model_copy(update={"text": "later"}))
    fold.take_reply(reply.model_copy(update={"call_id": "x", "node": "other"}))

    assert {asked.call_id: reply} == dict(fold.replies)
    fold.take_judgement(judged(turn, call_id=asked.call_id))
    assert not fold.replies


def test_pause_begins_after_failures_in_a_row_and_ends() -> None:
    """A record that is read twice counts once; an answer ends the row."""
    fold = state()
    turns = many_turns(FAILURES_MAX + 2)
    for number, turn in enumerate(turns[:FAILURES_MAX]):
        assert fold.paused_until(START) is None
        for _ in range(2):
            fold.take_judgement(judged(turn, number, failure="no"))
    last = START + timedelta(minutes=FAILURES_MAX - 1)

    assert last + PAUSE == fold.paused_until(last)
    assert fold.paused_until(last + PAUSE) is None
    assert FAILURES_MAX == fold.failures_in_row
    fold.take_judgement(judged(turns[-1], 30))
    assert 0 == fold.failures_in_row


def test_state_is_bounded() -> None:
    """The newest records are kept, and days before the day before the newest are forgotten."""
    fold = state()
    turns = many_turns(RECORDS_KEPT_MAX + 50)
    for turn in turns[::-1]:
        fold.take_turn(record(turn))
    assert RECORDS_KEPT_MAX == len(fold._records)
    newest = max(turns, key=lambda turn: turn.as_of)
    assert newest.turn_id == fold.due(1, NONE)[0].turn_id

    later = waiting().model_copy(update={"as_of": newest.as_of + timedelta(days=3)})
    fold.done.add((turns[0].turn_id, 0))
    fold.take_turn(record(later))
    assert (1, 1, set()) == (fold.sampled, len(fold._records), fold.done)
    assert not fold.take_turn(record(turns[1]))
