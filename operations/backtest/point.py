"""Plays one point of a sweep in a process of its own, and returns what its candidates did.

Nothing of the run is kept but the returns: `arena backtest SPEC --set KEY=VALUE` plays it again.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from arena import logs, topics
from arena.accounts import Shard
from arena.errors import ArenaError
from arena.settings import Settings
from arena.shards import digest_of
from operations.backtest.counts import Counts, records_of
from operations.backtest.prepare import prepare, setup_of
from operations.commands.compete_start import new_contest
from operations.specs.backtest import backtest_toml
from operations.specs.set_values import with_values

ROOM_OF_CANDIDATES = "judge.sweep.candidates"
JUDGED = (topics.ROSTER, topics.SNAPSHOTS, topics.EVENTS, topics.TURNS, topics.LLM_CALLS)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a grid.

    Attributes:
        number: Its number, from 0.
        spec: The specification.
        values: Key -> value that is set in it.
        prices: Candle files that replace its prices.
        snapshots: A length that replaces its own.
    """

    number: int
    spec: Path
    values: Mapping[str, Any]  # Any: any TOML value
    prices: tuple[Path, ...] = ()
    snapshots: int | None = None


@dataclass(frozen=True, slots=True)
class PlayedPoint:
    """What a point gave.

    Attributes:
        number: Its number.
        candidates: Its candidates (`judge.sweep.candidates`); () if it failed.
        digest: Hash of its accounts.
        bars: Closed bars.
        turns: Turns of all agents.
        seconds: Wall time.
        interval_s: Market time between two snapshots.
        error: Why it failed; "" if it did not.
    """

    number: int
    candidates: Sequence[Any] = ()  # Any: another room's type
    digest: str = ""
    bars: int = 0
    turns: int = 0
    seconds: float = 0.0
    interval_s: float = 0.0
    error: str = ""


def edit_of(point: Point) -> "partial[str]":
    """The change of the specification's text."""
    return partial(_edited, point=point)


def _edited(text: str, *, point: Point) -> str:
    text = with_values(text, point.values)
    return backtest_toml(text, snapshots=point.snapshots, files=bool(point.prices))


def leave_signals_to_parent() -> None:
    """Ignore Ctrl-C and print no errors in this process: the parent does both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), sys.stderr.fileno())


def play_point(point: Point) -> PlayedPoint:
    """Play one point; an error is in the result."""
    began_s = time.monotonic()
    try:
        with TemporaryDirectory(prefix="arena-sweep-") as home:
            return _play(point, Path(home), began_s)
    except ArenaError as error:
        return PlayedPoint(point.number, error=str(error))


def _play(point: Point, home: Path, began_s: float) -> PlayedPoint:
    settings = Settings().override(home=home, log_level="ERROR")
    contest = new_contest(
        point.spec,
        prices=point.prices,
        snapshots=point.snapshots,
        settings=settings,
        edit=edit_of(point),
    )
    setup = setup_of(contest, settings)
    with contextlib.closing(prepare(contest, setup)) as test:
        logs.configure(settings, node=f"backtest/{point.number}")
        test.play()
        cluster = test.cluster
        records = (record for topic in JUDGED for record in records_of(cluster, topic.name))
        candidates = import_module(ROOM_OF_CANDIDATES).candidates_of(point.number, records)
        shards: dict[int, Shard] = {}
        for record in records_of(cluster, topics.EVENTS.name):
            shard = shards.setdefault(record.partition, Shard())
            shard.apply(record.kind, record.value or b"", record.offset)
        turns = sum(record.kind == "Turn" for record in records_of(cluster, topics.TURNS.name))
        return PlayedPoint(
            number=point.number,
            candidates=candidates,
            digest=digest_of(shards.values()),
            bars=Counts.of(cluster).bars,
            turns=turns,
            seconds=time.monotonic() - began_s,
            interval_s=contest.spec.arena.interval_s,
        )
