"""The end of a contest waits briefly for the judge, so that the last standings are final."""

from datetime import UTC, datetime
from io import StringIO
from types import SimpleNamespace

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import Evaluation
from operations.commands import compete_monitor
from operations.commands.compete_monitor import ContestMonitor
from operations.commands.live_line import LiveLine
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import parse_spec

WANTED = 12
TEXT = f"""\
[market]
source = "replay"

[competition]
snapshots = {WANTED}
baselines = ["cash"]
"""


def evaluation(snapshots: int) -> Evaluation:
    """An evaluation of the contest up to a snapshot."""
    return Evaluation(
        evaluation_id=f"e{snapshots}",
        snapshot_id=f"s{snapshots}",
        snapshots=snapshots,
        as_of=None,
        interval_s=60.0,
        confidence=0.9,
        seed=1,
        resamples=199,
        hold_return=None,
        detectable=None,
        verdict="No verdict yet.",
        rows=(),
    )


class Run:
    """A run whose judge has a given state, and publishes an evaluation at a tick."""

    def __init__(self, bus: MemoryBus, state: str, says: tuple[int, ...]) -> None:
        """Say nothing before the first tick."""
        judge = SimpleNamespace(name="judge", state=state)
        self.record = SimpleNamespace(started_at=datetime.now(UTC), processes=[judge])
        self.ticks = 0
        self._bus, self._says = bus, says

    def tick(self) -> None:
        """Let the judge publish what it says next."""
        if self.ticks < len(self._says):
            message = evaluation(self._says[self.ticks])
            body = message.model_dump_json().encode()
            headers = (("type", b"Evaluation"), ("schema", b"1"))
            self._bus.cluster.append(topics.EVALUATIONS.name, 0, b"k", body, headers)
        self.ticks += 1


@pytest.mark.parametrize(
    ("state", "says", "ticks"),
    [
        ("running", (8, WANTED), 2),
        ("running", (WANTED + 1,), 1),
        ("given_up", (WANTED,), 0),
        ("finished", (), 0),
    ],
)
async def test_end_waits_for_the_last_evaluation_of_a_running_judge(
    memory_bus: MemoryBus, state: str, says: tuple[int, ...], ticks: int
) -> None:
    """An earlier one is not enough; without a running judge there is no wait."""
    run = Run(memory_bus, state, says)
    await await_judge(memory_bus, run)

    assert ticks == run.ticks


async def test_wait_for_a_silent_judge_is_bounded(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report does not need the judge."""
    monkeypatch.setattr(compete_monitor, "JUDGE_WAIT_S_MAX", 0.05)
    run = Run(memory_bus, "running", (8,))
    await await_judge(memory_bus, run)

    assert run.ticks >= 1


async def await_judge(bus: MemoryBus, run: Run) -> None:
    """The end of the contest."""
    line, spec = LiveLine(StringIO()), parse_spec(TEXT, path="c.toml")
    monitor = ContestMonitor(run, spec, line, seconds=None)  # type: ignore[arg-type]  # a stand-in
    reader = await bus.log_reader(*compete_monitor.FOLLOWED_TOPICS)
    await monitor._await_judge(reader, StopSignals())
    await reader.close()
