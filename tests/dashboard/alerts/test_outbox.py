"""Alerts are reported once, and put into messages within a rate."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.alerts.found import Alert, Ended
from dashboard.alerts.outbox import REPEAT_S, Outbox
from dashboard.alerts.state import KEYS_MAX, MESSAGES_MAX, QUEUE_MAX, AlertState

NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
ONE = ("env:A 1 (json)",)
TWO = (*ONE, "env:A 2 (json)")


def outbox(
    state: AlertState | None = None, receivers: Sequence[str] = ONE, per_minute: int = 10
) -> Outbox:
    """An outbox; without a state, after its first pass."""
    state = AlertState(is_first=False) if state is None else state
    return Outbox(state, arena="demo", per_minute=per_minute, receivers=receivers)


def restarted(box: Outbox, receivers: Sequence[str] = ONE) -> Outbox:
    """The outbox of the next process."""
    saved = AlertState.model_validate_json(box.state.model_dump_json())
    return outbox(saved, receivers)


def dead(agent: str = "a", cause: str = "auth", *, is_now: bool = True) -> Alert:
    """A dead agent."""
    subject = f"dead:{agent}"
    return Alert("dead", subject, f"{subject}@{cause}", f"{agent} is dead", is_now=is_now)


def halt(at: int = 1) -> Alert:
    """A halt of all agents."""
    return Alert("halt", "halt:all", f"halt:all@{at}", "all agents are halted")


def texts(box: Outbox, alerts: Sequence[Alert], at_s: float = 0.0) -> list[str]:
    """What is reported of these alerts."""
    now = NOW + timedelta(seconds=at_s)
    return [f"{one.state} {one.text}" for one in box.take(alerts, [], now)]


def test_alert_is_reported_once_also_after_a_restart() -> None:
    """As long as it holds, and if it is found again by another process."""
    box = outbox()

    assert ["alert a is dead"] == texts(box, [dead()])
    assert [] == texts(box, [dead()], 1)
    assert [] == texts(restarted(box), [dead()], 2_000)


def test_other_cause_of_a_dead_agent_is_not_another_alert() -> None:
    """The subject is reported already; nothing more is to be done about it."""
    box = outbox()
    texts(box, [dead()])

    assert [] == texts(box, [dead(cause="timeout")], 2_000)


def test_second_halt_of_a_scope_is_another_alert() -> None:
    """An operator who halts again has another reason."""
    box = outbox()

    assert [1, 0, 1] == [len(texts(box, [halt(at)])) for at in (1, 1, 2)]


def test_what_was_over_before_the_first_start_is_never_reported() -> None:
    """What holds at the first start is; what was over is not, then or later."""
    box = outbox(AlertState())
    old = dead("old", is_now=False)

    assert ["alert a is dead"] == texts(box, [dead(), old])
    assert [] == texts(box, [old], 1)
    assert ["alert new is dead"] == texts(box, [dead("new", is_now=False)], 2)


def test_end_is_reported_once_and_only_of_what_was_reported() -> None:
    """A subject that was not reported has no end; an end without a sentence is silent."""
    box = outbox()
    box.take([halt(), dead()], [], NOW)
    ended = [
        Ended("halt:all", "halt", "resumed"),
        Ended("dead:a", "dead", ""),
        Ended("dead:b", "dead", "b decides again"),
    ]

    first = box.take([], ended, NOW)
    second = restarted(box).take([], ended, NOW)

    assert [("resolved", "resumed")] == [(one.state, one.text) for one in first]
    assert [] == second


def test_subject_that_comes_and_goes_is_reported_rarely() -> None:
    """An agent that dies again soon is reported when the time is over, if it is dead then."""
    box = outbox()
    texts(box, [dead()])
    box.take([], [Ended("dead:a", "dead", "a decides again")], NOW + timedelta(seconds=5))

    assert [] == texts(box, [dead()], 10)
    assert [] == texts(restarted(box), [dead()], REPEAT_S - 1)
    assert ["alert a is dead"] == texts(box, [dead()], REPEAT_S + 1)


def test_each_alert_has_a_message_if_there_are_few() -> None:
    """Title and text are about one alert."""
    box = outbox()
    box.take([halt(), dead()], [], NOW)

    made = box.make_messages(NOW)

    assert [
        ("demo: halted", "all agents are halted"),
        ("demo: dead agent", "a is dead"),
    ] == [(one.title, one.body) for one in made]
    assert [] == box.make_messages(NOW)


def test_many_alerts_share_one_message() -> None:
    """Ten lines, and how many more."""
    box = outbox()
    box.take([dead(f"a{number}") for number in range(22)], [], NOW)

    (message,) = box.make_messages(NOW)

    assert "demo: 22 alerts" == message.title
    assert "a0 is dead" == message.body.splitlines()[0]
    assert (
        "and 12 more; `arena alerts --once` shows what holds now" == (message.body.splitlines()[-1])
    )
    assert 11 == len(message.body.splitlines())


@pytest.mark.parametrize("per_minute", [1, 2, 10])
def test_messages_keep_the_rate(per_minute: int) -> None:
    """In no minute are more messages made, and no alert is left out."""
    box = outbox(per_minute=per_minute)
    times: list[float] = []
    named: list[str] = []
    for second in range(0, 300, 2):
        now = NOW + timedelta(seconds=second)
        box.take([dead(f"a{second}")] if second < 200 else [], [], now)
        for message in box.make_messages(now):
            times.append(second)
            named.append(message.body)

    assert all(sum(t - 60 < one <= t for one in times) <= per_minute for t in times)
    lines = "\n".join(named).splitlines()
    more = sum(int(line.split()[1]) for line in lines if line.startswith("and "))
    assert 100 == more + sum(line.endswith(" is dead") for line in lines)


def test_rate_holds_over_a_restart() -> None:
    """A process that crashes in a loop does not flood its receivers."""
    box = outbox(per_minute=1)
    texts(box, [halt(1)])
    box.make_messages(NOW)
    again = outbox(AlertState.model_validate_json(box.state.model_dump_json()), per_minute=1)
    texts(again, [halt(2)])

    assert [] == again.make_messages(NOW + timedelta(seconds=59))
    assert 1 == len(again.make_messages(NOW + timedelta(seconds=60)))


def test_last_messages_may_exceed_the_rate_by_one() -> None:
    """A process that is stopped puts all that waits into one more message."""
    box = outbox(per_minute=1)
    texts(box, [halt(1)])
    box.make_messages(NOW)
    texts(box, [halt(2), halt(3)])

    (last,) = box.make_messages(NOW, flush=True)

    assert "demo: 2 alerts" == last.title


def test_message_waits_for_every_receiver() -> None:
    """It is kept over a restart until the last has confirmed it; a removed receiver is dropped."""
    box = outbox(receivers=TWO)
    texts(box, [halt()])
    (message,) = box.make_messages(NOW)
    box.confirm(message.number, TWO[0])
    again = restarted(box, TWO)

    assert again.next_for(TWO[0]) is None
    assert message.number == getattr(again.next_for(TWO[1]), "number", None)
    assert [] == restarted(box, ONE).state.messages
    again.confirm(message.number, TWO[1])
    assert [] == again.state.messages


def test_given_up_messages_are_counted_in_the_next() -> None:
    """Its receiver learns how many it has missed, once."""
    box = outbox()
    texts(box, [halt(1), halt(2)])
    first, second = box.make_messages(NOW)
    box.give_up(first.number, ONE[0])

    assert box.body_for(second, ONE[0]).endswith("(1 earlier message could not be delivered here)")
    box.confirm(second.number, ONE[0])
    assert second.body == box.body_for(second, ONE[0])


def test_without_receivers_nothing_waits() -> None:
    """Alerts are returned to be printed only."""
    box = outbox(receivers=())

    assert ["alert all agents are halted"] == texts(box, [halt()])
    assert [] == box.make_messages(NOW)
    assert [] == box.state.queue


def test_state_is_bounded() -> None:
    """Keys, waiting alerts and waiting messages have limits."""
    box = outbox(per_minute=600)
    for number in range(KEYS_MAX + 10):
        box.take([halt(number)], [], NOW)
    assert KEYS_MAX == len(box.state.sent)
    assert (QUEUE_MAX, KEYS_MAX + 10 - QUEUE_MAX) == (len(box.state.queue), box.state.skipped)

    (message,) = box.make_messages(NOW)
    assert f"demo: {KEYS_MAX + 10:,} alerts" == message.title
    for number in range(MESSAGES_MAX + 5):
        box.take([halt(-number - 1)], [], NOW)
        box.make_messages(NOW + timedelta(minutes=number))
    assert MESSAGES_MAX == len(box.state.messages)
    assert 6 == box.state.lost[ONE[0]]


def test_key_that_holds_is_not_forgotten_for_newer_ones() -> None:
    """The oldest key that does not hold any more is forgotten first."""
    box = outbox()
    texts(box, [halt(0)])
    for number in range(1, KEYS_MAX + 10):
        texts(box, [halt(0), halt(number)])

    assert "halt:all@0" in box.state.sent
