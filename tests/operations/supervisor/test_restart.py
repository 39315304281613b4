"""Restart decisions: backoff, its limit, and what is never restarted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import EXIT_DEPENDENCY
from operations.supervisor.restart import Finished, GiveUp, History, Restart, RestartPolicy, decide

POLICY = RestartPolicy(first_delay_s=1.0, delay_s_max=4.0, crashes_max=3, window_s=100.0)


def test_waits_double_up_to_their_limit() -> None:
    """Each crash in the window doubles the longest wait."""
    policy = RestartPolicy(first_delay_s=1.0, delay_s_max=4.0, crashes_max=9, window_s=100.0)
    crashes = History()
    waits = []
    for now_s in range(4):
        crashes, decision = decide(crashes, 1, now_s, 0.999999, policy)
        assert isinstance(decision, Restart)
        waits.append(round(decision.delay_s))

    assert waits == [1, 2, 4, 4]


def test_process_is_given_up_after_too_many_crashes() -> None:
    """The first crash above the limit is the last."""
    crashes = History()
    decisions = []
    for now_s in range(4):
        crashes, decision = decide(crashes, -9, now_s, 0.5, POLICY)
        decisions.append(type(decision))

    assert decisions == [Restart, Restart, Restart, GiveUp]


def test_old_crashes_are_forgotten() -> None:
    """A process that rarely crashes is restarted every time."""
    crashes = History()
    for now_s in range(0, 1000, 50):
        crashes, decision = decide(crashes, 1, now_s, 0.5, POLICY)
        assert isinstance(decision, Restart)

    assert len(crashes.crashes) <= 2


def test_exit_without_error_is_not_a_crash() -> None:
    """Exit code 0 means the work is done."""
    assert decide(History(), 0, 5.0, 0.5, POLICY) == (History(), Finished())


def test_refused_configuration_is_not_restarted() -> None:
    """A restart would end with exit code 2 again."""
    _, decision = decide(History(), 2, 5.0, 0.5, POLICY)

    assert isinstance(decision, GiveUp)


def test_unreachable_broker_is_waited_for() -> None:
    """Exit code 3, repeated for a minute, is not a crash, and the next restart is soon."""
    policy = RestartPolicy()
    crashes = History()
    now_s = 0.0
    while now_s < 60:
        crashes, decision = decide(crashes, EXIT_DEPENDENCY, now_s, 0.999999, policy)
        assert isinstance(decision, Restart)
        assert decision.delay_s <= policy.outage_delay_s
        now_s += decision.delay_s + 1.0
    for _ in range(policy.crashes_max):
        crashes, decision = decide(crashes, 1, now_s, 0.5, policy)
        assert isinstance(decision, Restart)


@pytest.mark.parametrize("between_s", [0.5, 5.0, 60.0, 179.0])
def test_outage_is_waited_for_half_an_hour(between_s: float) -> None:
    """However fast a process finds that its broker cannot be reached."""
    policy = RestartPolicy()
    history, now_s = History(), 0.0
    while now_s <= policy.outage_s_max:
        history, decision = decide(history, EXIT_DEPENDENCY, now_s, 0.5, policy)
        assert isinstance(decision, Restart), now_s
        now_s += between_s
    _, decision = decide(history, EXIT_DEPENDENCY, now_s, 0.5, policy)

    assert isinstance(decision, GiveUp)
    assert "could not reach something it needs for 30 min" in decision.reason


def test_outage_after_normal_work_is_a_new_outage() -> None:
    """A process is not given up for outages with work between them."""
    policy = RestartPolicy()
    history = History()
    for number in range(50):
        now_s = number * (policy.outage_gap_s + 1)
        history, decision = decide(history, EXIT_DEPENDENCY, now_s, 0.5, policy)
        assert isinstance(decision, Restart)


@given(
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=30).map(sorted),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_memory_and_waits_are_bounded(times: list[float], jitter: float) -> None:
    """For any crashes, waits and history stay within the limits of the policy."""
    crashes = History()
    for now_s in times:
        crashes, decision = decide(crashes, 1, now_s, jitter, POLICY)
        if isinstance(decision, GiveUp):
            break
        assert isinstance(decision, Restart)
        assert 0 < decision.delay_s <= POLICY.delay_s_max
        assert len(crashes.crashes) <= POLICY.crashes_max
