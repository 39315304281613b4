"""Which agents a snapshot waits for: cadences, deadlines, late answers; and the batch prefix."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.market.lockstep.batch_prefix import already_appended
from connectors.market.lockstep.pacing import TURN_GRACE_S, MissingAgents, Pacer, WaitState

AGENTS = ("a", "b", "c")


def pacer(*cadences: int, deadline_s: float = 10.0) -> Pacer:
    """A pacer whose agents are all ready."""
    made = Pacer(AGENTS[: len(cadences)], deadline_s=deadline_s)
    for agent, cadence in zip(AGENTS, cadences, strict=False):
        made.add_listed(agent, cadence)
        made.add_account(agent)
    return made


def test_agents_must_be_on_the_roster_and_have_an_account() -> None:
    """Missing agents are named, by what is missing."""
    made = Pacer(("a", "b", "a"), deadline_s=1)
    assert MissingAgents(("a", "b"), ("a", "b")) == made.missing

    made.add_listed("a", 1)
    made.add_listed("stranger", 1)
    made.add_account("b")
    assert MissingAgents(("b",), ("a",)) == made.missing
    made.add_listed("b", 2)
    made.add_account("a")
    assert not made.missing


def test_snapshot_waits_for_every_answer() -> None:
    """The last answer ends the wait; other agents and old snapshots do not count."""
    made = pacer(1, 1)
    made.start_wait(0, now_s=0)
    assert made.add_answer("a", 0)
    assert not made.add_answer("a", 0)
    assert not made.add_answer("stranger", 0)
    assert (("b",), WaitState.WAIT) == (made.waiting, made.wait_state(0))

    assert made.add_answer("b", 0)
    assert WaitState.ANSWERED == made.wait_state(0)
    made.start_wait(1, now_s=1)
    assert ("a", "b") == made.waiting


def test_deadline_has_a_grace_period() -> None:
    """A turn that ends at the agent's own deadline is still to be written and read."""
    made = pacer(1, deadline_s=10)
    made.start_wait(0, now_s=100)

    assert WaitState.WAIT == made.wait_state(110)
    assert TURN_GRACE_S == made.left_s(110)
    assert WaitState.LATE == made.wait_state(110 + TURN_GRACE_S)
    assert 0 == made.left_s(1_000)


def test_agent_is_due_by_its_cadence() -> None:
    """With cadence 3 it is due at snapshots 0, 3 and 6."""
    made, due = pacer(3), []
    for index in range(8):
        made.start_wait(index, now_s=0)
        if made.waiting:
            due.append(index)
            made.add_answer("a", index)

    assert [0, 3, 6] == due


def test_late_answer_changes_what_is_due() -> None:
    """An agent that answers 0 after 4 was published is due again from 3 on, so also at 4."""
    made = pacer(3)
    for index in range(5):
        made.start_wait(index, now_s=0)
    made.add_answer("a", 0)
    assert ("a",) == made.waiting

    made.add_answer("a", 3)
    assert WaitState.ANSWERED == made.wait_state(0)
    made.start_wait(6, now_s=0)
    assert ("a",) == made.waiting


@given(
    cadences=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    away=st.lists(st.booleans(), min_size=30, max_size=30),
    data=st.data(),
)
def test_waits_for_exactly_the_agents_whose_router_would_answer(
    cadences: list[int], away: list[bool], data: st.DataObject
) -> None:
    """Although routers stop and start, no agent is waited for in vain and none is skipped."""
    made = pacer(*cadences)
    last = dict.fromkeys(AGENTS[: len(cadences)], -1)
    for index, gone in enumerate(away):
        made.start_wait(index, now_s=index * 100)
        would = [
            a for a, n in zip(last, cadences, strict=True) if last[a] < 0 or index >= last[a] + n
        ]
        assert tuple(would) == made.waiting
        if gone and would:
            would.remove(data.draw(st.sampled_from(would)))
        for agent in data.draw(st.permutations(would)):
            assert made.add_answer(agent, index)
            last[agent] = index
        done = not made.waiting
        assert done == (made.wait_state(index * 100) is WaitState.ANSWERED)
        assert done or made.wait_state(index * 100 + 50) is WaitState.LATE


@given(
    batch=st.lists(st.binary(min_size=1, max_size=2), max_size=6),
    cut=st.integers(0, 6),
    byte=st.binary(),
)
def test_partial_batch_is_completed_and_never_doubled(
    batch: list[bytes], cut: int, byte: bytes
) -> None:
    """A prefix of the batch is completed; after anything else the whole batch is appended."""
    tail = batch[:cut]

    assert len(tail) == already_appended(batch, tail)
    assert tail + batch[already_appended(batch, tail) :] == batch
    assert 0 == already_appended(batch, [*batch, byte])
