"""Plays a backtest to its end: shows its progress, and stops it early if that is due."""

import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from signal import SIGINT

from operations.backtest.counts import Counts, counts_line
from operations.backtest.run import Backtest, Stopped
from operations.backtest.watch import ModelWatch, asked_nodes
from operations.commands.compete_health import ContestHealth
from operations.commands.compete_monitor import ContestEnd, EndReason
from operations.commands.compete_progress import ContestProgress
from operations.commands.live_line import LiveLine
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.competition import BASELINES

READ_EVERY = 16
"""Rounds between two reads of new records, which are still decoded then."""
LOOK_EVERY = 256
"""Rounds of the loop between two updates of the progress line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A backtest that has ended.

    Attributes:
        began_at: Wall time at which it began.
        progress: Its counts.
        ending: How it ended.
    """

    began_at: datetime
    progress: ContestProgress
    ending: ContestEnd


class _Playing:
    """A backtest that is being played.

    Args:
        spec: Its specification.
        test: The backtest.
        signals: Ask to stop it.
    """

    def __init__(self, spec: ArenaSpec, test: Backtest, signals: StopSignals) -> None:
        competition = spec.competition
        assert competition is not None, "a backtest is a contest"
        self._spec, self._test, self._signals = spec, test, signals
        self.planned = competition.snapshot_count(spec.arena.interval_s)
        self._line = LiveLine(sys.stdout)
        self._began_s, self._rounds = time.monotonic(), 0
        self._asks = bool(asked_nodes(spec))
        budget = competition.llm_budget_usd
        self._watch = ModelWatch(test.cluster, self._new_progress(), budget)
        self.ending: ContestEnd | None = None

    def _new_progress(self) -> ContestProgress:
        agents = self._spec.agents
        names = [agent.name for agent in agents]
        baselines = [agent.name for agent in agents if agent.chat_node == BASELINES]
        return ContestProgress(self.planned, names, health=ContestHealth(names, baselines))

    @property
    def elapsed_s(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self._began_s

    def on_round(self) -> bool:
        """Update the progress line now and then; True to stop."""
        self._rounds += 1
        is_new = (self._asks or self._rounds % READ_EVERY == 0) and self._watch.read()
        if (is_new and self._asks) or self._rounds % LOOK_EVERY == 0:
            self._line.show(self._text())
            self._look()
        return self.ending is not None or self._signals.received is not None

    def _look(self) -> None:
        """Note why the run must end early."""
        watch = self._watch
        if not self._asks or self.ending is not None:
            return
        for news in watch.progress.health.pop_news():
            self._line.print_above(news)
        if watch.is_spent:
            text = (
                f"the models have cost ${watch.progress.cost_usd:.4f}, the budget was "
                f"${watch.budget_usd}: {self._snapshots()} of {self.planned} snapshots"
            )
            self.ending = ContestEnd(EndReason.BUDGET, text, self.elapsed_s)
        elif watch.progress.health.all_have_turns and (dead := watch.progress.health.stop_reason()):
            self.ending = ContestEnd(EndReason.DEAD, dead, self.elapsed_s)

    def progress(self) -> ContestProgress:
        """The counts so far."""
        self._watch.read()
        self._watch.progress.snapshots = Counts.of(self._test.cluster).snapshots
        return self._watch.progress

    def end_line(self) -> None:
        """End the progress line."""
        self._line.end(self._text())

    def _text(self) -> str:
        text = counts_line(Counts.of(self._test.cluster), self.planned, self.elapsed_s)
        return f"{text}  {self._watch.line}" if self._asks else text

    def _snapshots(self) -> int:
        return min(Counts.of(self._test.cluster).snapshots, self.planned)


def play(spec: ArenaSpec, test: Backtest, signals: StopSignals) -> Ended:
    """Play a backtest to its end, or until a signal, the budget or dead agents stop it."""
    began_at = datetime.now(UTC)
    playing = _Playing(spec, test, signals)
    test.on_round = playing.on_round
    ending = None
    try:
        test.play()
    except Stopped:
        ending = playing.ending
        if signals.received is not None:
            name = "Ctrl-C" if signals.received == SIGINT else signals.received.name
            ending = ContestEnd(EndReason.STOPPED, f"by {name}", playing.elapsed_s)
    playing.end_line()
    progress = playing.progress()
    ending = ending or ContestEnd(EndReason.DONE, "", playing.elapsed_s)
    whole = progress.snapshots if ending.is_complete else None
    return Ended(began_at, progress, replace(ending, dead=progress.health.dead_at_end(whole)))
