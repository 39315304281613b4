"""The progress of a contest, and its line."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

from arena.durations import elapsed_text
from arena.messages import (
    AgentSpec,
    Gates,
    LlmCall,
    MarketSnapshot,
    Round,
    SkippedSnapshots,
    Turn,
    TurnStarted,
)
from arena.messages.chat import Usage
from operations.commands.compete_progress import (
    ContestProgress,
    gates_line,
    progress_line,
    shadows_line,
)
from operations.commands.live_line import LiveLine

AT = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(number: int) -> MarketSnapshot:
    """A snapshot without prices."""
    return MarketSnapshot(
        snapshot_id=f"s{number}", venue="sim", as_of=AT, interval_s=60.0, published_at=AT
    )


def turn(agent: str, offset: int) -> Turn:
    """A turn of an agent on the snapshot at an offset."""
    return Turn(
        turn_id=f"{agent}{offset}",
        agent=agent,
        strategy="cash",
        node="rules",
        snapshot_id=f"s{offset}",
        snapshot_offset=offset,
        as_of=AT,
        outcome="completed",
        started_at=AT,
        ended_at=AT,
    )


def call(cost: str | None, *, scripted: bool = False, replayed: bool = False) -> LlmCall:
    """A call of 10 + 5 tokens."""
    usage = Usage(
        prompt_tokens=10, completion_tokens=5, cost_usd=None if cost is None else Decimal(cost)
    )
    return LlmCall(
        call_id="c",
        agent="a",
        turn_id="t",
        round=0,
        node="n",
        model="m",
        scripted=scripted,
        replayed=replayed,
        outcome="ok",
        request_sha256="",
        usage=usage,
        started_at=AT,
        ended_at=AT,
    )


def test_redelivered_messages_count_once() -> None:
    """A redelivered snapshot or turn changes nothing."""
    progress = ContestProgress(2, ["a", "b"])

    for _ in range(2):
        progress.apply(snapshot(0), 0)
        progress.apply(turn("a", 0), 0)

    assert (progress.snapshots, progress.turns, progress.last) == (1, 1, None)


def test_aborted_turns_are_counted_separately() -> None:
    """A turn that a stop cut off counts as a turn and as aborted."""
    progress = ContestProgress(2, ["a"])
    progress.apply(turn("a", 0), 0)
    progress.apply(turn("a", 1).model_copy(update={"outcome": "aborted"}), 1)

    assert (2, 1) == (progress.turns, progress.aborted)


def test_all_decided_after_a_turn_on_the_last_snapshot_or_later() -> None:
    """An agent that skipped the last snapshot decided on a newer one."""
    progress = ContestProgress(2, ["a", "b"])
    progress.apply(snapshot(0), 10)
    progress.apply(turn("a", 10), 0)
    progress.apply(turn("b", 10), 0)
    before = progress.all_decided
    progress.apply(snapshot(1), 11)
    progress.apply(turn("a", 11), 1)
    half = progress.all_decided
    progress.apply(snapshot(2), 12)
    progress.apply(turn("b", 12), 1)

    assert (before, half, progress.all_decided) == (False, False, True)


def test_gated_agent_is_done_when_it_skipped_the_last_snapshot() -> None:
    """Its record counts like a turn, and what its gates saved is an estimate in one line."""
    progress = ContestProgress(3, ["a", "b"])
    gates = Gates(every_s=600)
    spec = AgentSpec(agent="a", strategy="cash", node="n", gates=gates, joined_at=AT)
    progress.apply(spec, 0)
    for offset in range(3):
        progress.apply(snapshot(offset), offset)
    round_ = Round(call_id="c", outcome="ok")
    usage = Usage(cost_usd=Decimal("0.25"))
    progress.apply(turn("a", 0).model_copy(update={"rounds": (round_,), "usage": usage}), 0)
    progress.apply(turn("b", 2), 1)
    before = progress.all_decided
    skipped = SkippedSnapshots(
        agent="a", first_offset=1, snapshot_offset=2, as_of=AT, counts={"every": 2}
    )
    for _ in range(2):
        progress.apply(skipped, 2)

    assert (False, True) == (before, progress.all_decided)
    assert "Gates saved about 2 model calls, $0.50 (estimate)." == gates_line(progress)
    assert {
        "settings": "every 10m",
        "asked": 1,
        "skipped": {"every": 2},
        "calls_saved_estimate": 2.0,
        "usd_saved_estimate": "0.500000",
    } == progress.gates["a"].document()
    assert ("off", 1, {}) == (
        progress.gates["b"].gates,
        progress.gates["b"].asked,
        progress.gates["b"].skipped,
    )
    assert "" == gates_line(ContestProgress(3, ["b"]))


def test_gated_agent_in_real_time_does_not_delay_the_end() -> None:
    """Its router records skipped snapshots later; a turn that is open is waited for."""
    progress = ContestProgress(2, ["a"])
    gates = Gates(every_s=600)
    progress.apply(AgentSpec(agent="a", strategy="cash", node="n", gates=gates, joined_at=AT), 0)
    first, last = turn("a", 0), turn("a", 1)
    progress.apply(first, 0)
    found = []
    for offset in range(3):
        progress.apply(snapshot(offset), offset)
        found.append(progress.all_decided)
    started = TurnStarted(
        turn_id=last.turn_id,
        agent="a",
        snapshot_id=last.snapshot_id,
        snapshot_offset=1,
        as_of=AT,
        started_at=AT,
    )
    progress.apply(started, 1)
    found.append(progress.all_decided)
    progress.apply(last, 2)
    progress.apply(started, 3)

    assert [False, False, True, False, True] == [*found, progress.all_decided]


def test_recreated_topic_does_not_end_the_contest_early() -> None:
    """A contest that is resumed on a new `market.snapshots` has turns with larger offsets."""
    progress = ContestProgress(2, ["a"])
    progress.apply(turn("a", 500), 0)
    later = AT + timedelta(minutes=1)
    for offset in range(2):
        new = {"as_of": later + timedelta(minutes=offset)}
        progress.apply(snapshot(offset).model_copy(update=new), offset)
        before = progress.all_decided
        progress.apply(turn("a", offset).model_copy(update=new), 1 + offset)

    assert (False, True, 3) == (before, progress.all_decided, progress.turns)


def test_only_paid_calls_cost() -> None:
    """Scripted and replayed calls cost nothing; models without a price are listed."""
    progress = ContestProgress(1, ["a"])

    progress.apply(call("0.01"), 0)
    progress.apply(call("0.02", replayed=True), 1)
    progress.apply(call(None, scripted=True), 2)
    progress.apply(call(None), 3)

    assert (progress.tokens, progress.cost_usd, progress.replayed) == (30, Decimal("0.01"), 1)
    assert progress.unpriced == {"m"}


def test_estimated_tokens_are_marked() -> None:
    """One estimated call is enough."""
    progress = ContestProgress(planned=10, agents=["a"])
    progress.apply(call("0.5"), 0)
    counted = progress_line(progress, 1.0, 0)
    estimate = call("0.5").model_copy(update={"usage": Usage(prompt_tokens=12_000, estimated=True)})
    progress.apply(estimate, 1)

    assert "  15 tokens  " in counted
    assert "  ~12,015 tokens (estimated)  " in progress_line(progress, 1.0, 0)


def test_line_shows_the_time_left() -> None:
    """The rate counts only the snapshots of this part of the run."""
    progress = ContestProgress(100, ["a"])
    for number in range(40):
        progress.apply(snapshot(number), number)

    assert progress_line(progress, 20.0, 20) == (
        "40/100 snapshots  40%  1:00 left  0 turns  0 tokens  $0.00"
    )
    assert "starting" in progress_line(progress, 20.0, 40)


def test_durations_as_text() -> None:
    """Minutes, hours, days."""
    assert [elapsed_text(s) for s in (0, 59.4, 61, 3_661, 100_000)] == [
        "0:00",
        "0:59",
        "1:01",
        "1:01:01",
        "1 d 3 h",
    ]


def test_pipe_gets_lines_at_intervals() -> None:
    """Without carriage returns, and not ten lines per second."""
    now_s = 0.0
    out = StringIO()
    line = LiveLine(out, clock=lambda: now_s)

    for tick in range(100):
        now_s = tick / 10
        line.show(f"at {tick}")
    line.print_above("a node came back")
    line.end("done")

    assert out.getvalue() == " at 80\n a node came back\n done\n"


def test_lines_are_deferred_while_the_dashboard_has_the_screen() -> None:
    """The end prints them."""
    out = StringIO()
    line = LiveLine(out, hidden=True, clock=lambda: 99.0)

    line.show("at 1")
    line.print_above("a node came back")
    hidden = out.getvalue()
    line.end("done")

    assert (hidden, out.getvalue()) == ("", " a node came back\n done\n")


def test_shadow_agents_are_not_counted_but_their_cost_is() -> None:
    """Their turns are none of the contest's; what their models cost is in the sum, and named."""
    progress = ContestProgress(2, ["a"])
    progress.apply(turn("a", 0), 0)
    progress.apply(turn("shadow-x-champion-1", 0), 1)
    assert progress.turns == 1
    assert shadows_line(progress) == ""

    progress.apply(call("0.25"), 0)
    progress.apply(call("0.50").model_copy(update={"agent": "shadow-x-champion-1"}), 1)
    assert progress.cost_usd == Decimal("0.75")
    assert shadows_line(progress) == "Shadow agents of trials: 1 model call, $0.50."


def test_an_agent_of_the_contest_is_no_shadow_by_its_name() -> None:
    """A specification of an older version may have such a name."""
    progress = ContestProgress(2, ["shadow-fund"])
    progress.apply(turn("shadow-fund", 0), 0)
    assert progress.turns == 1
