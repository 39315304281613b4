"""Plays a contest on data that end at one of its snapshots.

Prices after that time are hidden in the market that the connector plays, and items of dated context
that are published later are left out of its files. Everything else is the backtest as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

from arena.bus.memory import MemoryCluster
from arena.context.files import read_lines
from arena.context.lines import LineRefused
from arena.settings import Settings
from operations.backtest.point import Point, edit_of
from operations.backtest.prepare import prepare, setup_of
from operations.backtest.run import Backtest
from operations.commands.compete_start import new_contest
from operations.one_process import Member


class Replay(Protocol):
    """What a lock-step connector plays."""

    total: int

    def as_of(self, index: int) -> datetime:
        """Venue time of a snapshot."""
        ...

    def end_at(self, index: int, *, hide_later: bool = False) -> None:
        """Let a snapshot be the last one."""
        ...


@dataclass(frozen=True, slots=True)
class CutRun:
    """How far a run goes.

    Attributes:
        most: Most snapshots.
        last: Number of the last snapshot, at which the data end; None for all data.
    """

    most: int
    last: int | None = None


@dataclass
class PlayedCut:
    """A run that was played.

    Attributes:
        cluster: Its records.
        snapshots: Number of its snapshots.
        planned: Number of snapshots of the contest, of which these are the first.
        agents: Number of its agents.
    """

    cluster: MemoryCluster
    snapshots: int
    planned: int
    agents: int
    _replay: Replay
    _test: Backtest = field(repr=False)

    def as_of(self, index: int) -> str:
        """Venue time of a snapshot, as text."""
        return f"{self._replay.as_of(index):%Y-%m-%dT%H:%M:%SZ}"

    def close(self) -> None:
        """Close its loop."""
        self._test.close()


def play_cut(point: Point, settings: Settings, folder: Path, run: CutRun) -> PlayedCut:
    """Play a contest on all data, or on data that end.

    Args:
        point: The specification and what is set in it.
        settings: The settings.
        folder: A temporary folder for homes and files.
        run: How far it goes.

    Raises:
        UsageError: The specification cannot be used.
        ArenaError: A member failed.
    """
    home = Path(mkdtemp(dir=folder))
    settings = settings.override(home=home)
    contest = new_contest(
        point.spec,
        prices=point.prices,
        snapshots=point.snapshots,
        settings=settings,
        edit=edit_of(point),
    )
    setup = setup_of(contest, settings)
    test = prepare(contest, setup)
    connector, *others = test.members
    options: Any = connector.options  # Any: the options of the connectors' room
    replay: Replay = options.replay
    planned = replay.total
    if run.last is None:
        replay.end_at(min(run.most, replay.total) - 1)
    else:
        replay.end_at(run.last, hide_later=True)
        first, end = replay.as_of(0), replay.as_of(run.last)
        files = _without_later(options.context, home, first, end)
        options = replace(options, context=files)
    test.members = [Member(connector.kind, connector.name, options), *others]
    test.play()
    agents = len(contest.spec.agents)
    return PlayedCut(test.cluster, replay.total, planned, agents, replay, test)


def _without_later(
    paths: Sequence[Path], home: Path, first: datetime, end: datetime
) -> tuple[Path, ...]:
    """Copies of files of dated context, without the items that are published after a time."""
    found = []
    for number, path in enumerate(paths):
        copy = home / f"context-{number}" / path.name
        copy.parent.mkdir()
        with copy.open("wb") as file:
            for line in read_lines(path):
                try:
                    items = line.parsed(first).items
                except LineRefused:
                    items = ()
                if not any(item.published_at > end for item in items):
                    file.write(line.content + b"\n")
        found.append(copy)
    return tuple(found)
