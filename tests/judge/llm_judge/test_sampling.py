"""The sample and its budget: never more calls than stated, whatever is killed in between."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from judge.evaluations.llm.sampling import SampledTurn, Sampling, admitted, due, is_repeated

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = st.lists(st.integers(0, 3 * 1440), min_size=1, max_size=80, unique=True)
BUDGETS = st.builds(Sampling, st.just(1.0), st.integers(1, 30))


def turns_at(minutes: list[int]) -> list[SampledTurn]:
    """A turn per minute of the list."""
    return [SampledTurn(START + timedelta(minutes=m), f"turn-{m}") for m in minutes]


def test_share_of_the_turns_is_the_stated_one() -> None:
    """About a fifth by default, one in twenty of them twice; the same turns every time."""
    names = [f"turn-{n}" for n in range(20_000)]
    taken = [name for name in names if Sampling().takes(name)]

    assert 0.19 < len(taken) / len(names) < 0.21
    assert 0.04 < sum(map(is_repeated, taken)) / len(taken) < 0.06
    assert not any(Sampling(0.0).takes(name) for name in names)
    assert all(Sampling(1.0).takes(name) for name in names)


@given(MINUTES, BUDGETS)
def test_no_day_has_more_calls_than_its_budget(minutes: list[int], sampling: Sampling) -> None:
    """Nor more than are available at the time of the turn."""
    chosen = admitted(turns_at(minutes), sampling)

    assert len(set(chosen)) == len(chosen)
    for turn, _ in chosen:
        before = [one for one, _ in chosen if one.day == turn.day and one <= turn]
        assert len(before) <= min(sampling.available(turn.as_of), sampling.calls_per_day) + 1
    days = {turn.day for turn, _ in chosen}
    assert all(sum(t.day == day for t, _ in chosen) <= sampling.calls_per_day for day in days)


@given(MINUTES, BUDGETS)
def test_choice_does_not_depend_on_order_or_on_later_turns(
    minutes: list[int], sampling: Sampling
) -> None:
    """So a restarted judge, and a second one, choose the same turns."""
    turns = turns_at(sorted(minutes))
    half = turns[: len(turns) // 2 + 1]

    assert admitted(turns, sampling) == admitted(turns[::-1], sampling)
    assert admitted(half, sampling) == [
        (turn, repeat) for turn, repeat in admitted(turns, sampling) if turn <= half[-1]
    ]


@settings(max_examples=60)
@given(MINUTES, BUDGETS, st.data())
def test_budget_holds_over_kills(
    minutes: list[int], sampling: Sampling, data: st.DataObject
) -> None:
    """Turns come late and in any order, and after each the judge may lose all but the topic."""
    turns = data.draw(st.permutations(turns_at(minutes)))
    asked: set[tuple[str, int]] = set()
    for number in range(1, len(turns) + 1):
        for turn, repeat in due(turns[:number], asked, sampling)[: data.draw(st.integers(0, 4))]:
            asked.add((turn.turn_id, repeat))

    day_of = {turn.turn_id: turn.day for turn in turns}
    for day in set(day_of.values()):
        assert sum(day_of[name] == day for name, _ in asked) <= sampling.calls_per_day


def test_newest_turns_come_first() -> None:
    """What is asked already is not asked again."""
    turns = turns_at([10, 20, 30])
    first = due(turns, frozenset(), Sampling(1.0, 100))

    assert [30, 20, 10] == [t.as_of.minute for t, r in first if r == 0]
    assert [] == due(turns, {(t.turn_id, r) for t, r in first}, Sampling(1.0, 100))


def test_a_quarter_of_the_budget_is_available_at_once() -> None:
    """The rest becomes available over the day, so that the first hour does not use it up."""
    sampling = Sampling(1.0, 200)
    hours = [0, 6, 12, 24 - 1 / 60]

    assert [50, 88, 125, 200] == [
        sampling.available(START + timedelta(hours=hour)) for hour in hours
    ]
