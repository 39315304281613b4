"""The [competition] table: the pacing, length and agents of a contest. Pure.

A matrix of strategies and models becomes agents `<strategy>-<model>`, or with repeats
`<strategy>-<model>-<k>`, k from 1. Repeats differ by the seed alone: repeat k of every cell has
seed k, so models that take a seed draw the same numbers for it at the same snapshot. The
baselines have their own scripted chat node.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from math import ceil
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from arena.baselines import SCRIPTED
from arena.candle_cache.names import whole_candles
from arena.errors import UsageError
from arena.messages import COACHED, PromptMode
from arena.strategy_files import is_file_name
from arena.unknown_names import check_new_agent_name
from operations.specs.errors import SpecFault
from operations.specs.market import MarketTable
from operations.specs.risk import Risk
from operations.specs.tables import (
    STRATEGY_PATTERN,
    AgentTable,
    ArenaTable,
    ChatNodeTable,
    GateKeys,
    Name,
)

BASELINES = "baselines"
"""Name of the baselines' chat node, and of the process of their agents."""

MATRIX_PROCESSES_MAX = 3
"""Processes for the agents of the matrix; with that of the baselines there are four."""

SNAPSHOTS_MAX = 1_000_000
REPEATS_MAX = 100
DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Strategy = Annotated[str, Field(pattern=STRATEGY_PATTERN)]


def _duration(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,6}[smhd]", text):
        raise ValueError('write a number and s, m, h or d, such as "16d"')
    return text


class CompetitionTable(GateKeys):
    """A contest. Its gates are those of the agents of the matrix; the baselines have none.

    Attributes:
        snapshots: Number of decisions per agent; alternative to `duration`.
        duration: Market time of the contest: "90m", "2h", "16d".
        pacing: "lock-step": market time advances when every agent has decided or its deadline has
            passed. "real-time": it advances by itself, and slow agents miss snapshots.
        strategies: Strategies of the matrix, each played with every model.
        models: Names of [[chat_nodes]].
        repeats: Agents per cell of the matrix, each with its own seed.
        baselines: Strategies that scripted rules play, for comparison.
        decision_deadline_s: Wall time limit of a whole turn.
        replies: "record" keeps every model's replies in a file; "replay" answers from it for free.
        replies_file: Path relative to the ARENA.toml.
        confidence: Confidence of the printed intervals.
        seed: Seed of the resampling for the intervals; the same seed gives the same figures.
        llm_budget_usd: The contest ends, with a report, when the models have cost this much.
        judge: Also run the judge, which publishes standings during the contest.
        risk: Limits of risk of the agents of the matrix, added to those of [risk].
        prompts: "frozen": every agent plays by its strategy's file. "coached": people and the judge
            may change the texts, and owners may send feedback, while the contest runs.
    """

    snapshots: int | None = Field(default=None, ge=1, le=SNAPSHOTS_MAX)
    duration: Annotated[str, AfterValidator(_duration)] | None = None
    pacing: Literal["lock-step", "real-time"] = "lock-step"
    strategies: tuple[Strategy, ...] = ()
    models: tuple[Name, ...] = ()
    repeats: int = Field(default=1, ge=1, le=REPEATS_MAX)
    baselines: tuple[Strategy, ...] = ("buy_and_hold", "random", "cash")
    decision_deadline_s: float = Field(default=60.0, ge=0.1, le=3_600)
    replies: Literal["live", "record", "replay"] = "live"
    replies_file: str = Field(default="replies.jsonl", min_length=1)
    confidence: float = Field(default=0.90, ge=0.5, le=0.99)
    seed: int = Field(default=1, ge=0)
    llm_budget_usd: Decimal | None = Field(default=None, gt=0)
    judge: bool = True
    risk: Risk | None = None
    prompts: PromptMode = "frozen"

    @property
    def lock_step(self) -> bool:
        """True if market time waits for the agents."""
        return self.pacing == "lock-step"

    @property
    def prompt_flags(self) -> tuple[str, ...]:
        """The flags of its routers about prompts; none for their default."""
        return () if self.prompts == COACHED else ("--prompts", self.prompts)

    def snapshot_count(self, interval_s: float) -> int:
        """The number of snapshots, one per interval of market time."""
        if self.snapshots is not None:
            return self.snapshots
        assert self.duration is not None, "check_competition was not called"
        span = timedelta(**{DURATION_UNITS[self.duration[-1]]: int(self.duration[:-1])})
        return ceil(span.total_seconds() / interval_s)


def check_competition(
    table: CompetitionTable,
    *,
    arena: ArenaTable,
    market: MarketTable,
    chat_nodes: Sequence[ChatNodeTable],
    agents: Sequence[AgentTable],
) -> None:
    """Require that a contest matches the rest of its file.

    Raises:
        SpecFault: It does not.
    """
    _check_length(table, arena)
    _check_pacing(table, market)
    known = [node.name for node in chat_nodes]
    _require_once("strategies", table.strategies)
    _require_once("models", table.models)
    _require_once("baselines", table.baselines)
    for model in table.models:
        if model not in known:
            names = ", ".join(known) or "none yet"
            raise _fault("models", f"no [[chat_nodes]] has the name {model!r}; there is {names}")
    if bool(table.strategies) != bool(table.models):
        present, absent = ("strategies", "models") if table.strategies else ("models", "strategies")
        raise _fault(present, f"a matrix needs both; add {absent} = [...]")
    if not (table.strategies or table.baselines or agents):
        raise _fault("strategies", "it has no agents; add strategies and models, or [[agents]]")
    if table.baselines and BASELINES in known:
        text = f"{BASELINES!r} is the name of the baselines' chat node; choose another name"
        raise SpecFault(("chat_nodes", known.index(BASELINES), "name"), text)


def contest_agents(table: CompetitionTable) -> tuple[AgentTable, ...]:
    """The agents of the matrix and the baselines, in the order of the file.

    Raises:
        SpecFault: A generated name is too long.
    """
    cells = [
        (strategy, model, k)
        for strategy in table.strategies
        for model in table.models
        for k in range(1, table.repeats + 1)
    ]
    processes = min(MATRIX_PROCESSES_MAX, len(cells))
    found = [
        AgentTable(
            name=_name("strategies", strategy, model, *([str(k)] if table.repeats > 1 else ())),
            strategy=strategy,
            chat_node=model,
            process=f"entrants-{index % processes + 1}",
            decision_deadline_s=table.decision_deadline_s,
            seed=k,
            risk=table.risk,
            **table.gate_settings,
        )
        for index, (strategy, model, k) in enumerate(cells)
    ]
    found += [
        AgentTable(
            name=_name("baselines", strategy),
            strategy=strategy,
            chat_node=BASELINES,
            process=BASELINES,
            decision_deadline_s=table.decision_deadline_s,
            seed=table.seed,
        )
        for strategy in table.baselines
    ]
    return tuple(found)


def baseline_nodes(table: CompetitionTable) -> tuple[ChatNodeTable, ...]:
    """The chat node of the baselines, if there are any."""
    return (ChatNodeTable(name=BASELINES, model_id=SCRIPTED),) if table.baselines else ()


def with_length(
    table: CompetitionTable,
    arena: ArenaTable,
    market: MarketTable,
    history_s: int,
    bar_s: int = 60,
) -> CompetitionTable:
    """The contest with as many snapshots as its range of recorded prices has, if it has no length.

    Args:
        table: The contest.
        arena: The arena.
        market: Its market.
        history_s: Least seconds of candles before the first snapshot; at most half of the range.
        bar_s: Seconds of a candle.
    """
    if (table.snapshots, table.duration) != (None, None) or not market.prices:
        return table
    if market.start is None or market.end is None:
        return table
    left_s = (market.end - market.start).total_seconds()
    if market.from_cache:
        first_s, last_s = whole_candles(market.start, market.end, bar_s)
        middle_s = (last_s - first_s) // 2
        left_s = last_s - first_s - min(history_s, middle_s - middle_s % bar_s)
    return table.model_copy(update={"snapshots": int(left_s // arena.interval_s) + 1})


def _check_length(table: CompetitionTable, arena: ArenaTable) -> None:
    if table.snapshots is None and table.duration is None:
        raise _fault("snapshots", 'it has no length; add snapshots = 120, or duration = "2h"')
    if table.snapshots is not None and table.duration is not None:
        raise _fault("duration", "snapshots is given, too; remove one of the two")
    count = table.snapshot_count(arena.interval_s)
    if count > SNAPSHOTS_MAX:
        text = f"{count:,} snapshots of {arena.interval_s:g} s; at most {SNAPSHOTS_MAX:,}"
        raise _fault("duration", f"{text}: choose a longer [arena] interval_s")


def _check_pacing(table: CompetitionTable, market: MarketTable) -> None:
    if table.lock_step and market.source != "replay":
        raise _fault(
            "pacing",
            f'"lock-step" needs [market] source = "replay", but it is "{market.source}"; '
            'other markets need pacing = "real-time"',
        )
    if not table.lock_step and market.source == "replay":
        raise _fault(
            "pacing",
            '"real-time" needs [market] source = "exchange" or "live"; '
            'a replay needs pacing = "lock-step"',
        )


def _require_once(key: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _fault(key, f"{name!r} is listed twice; repeats = 2 plays a cell twice")


def _name(key: str, *parts: str) -> str:
    """The agent's name of a cell; a strategy file gives its name without the folders."""
    stem = PurePath(parts[0]).stem if is_file_name(parts[0]) else parts[0]
    name = "-".join((stem.replace("_", "-"), *parts[1:]))
    try:
        return check_new_agent_name(name)
    except UsageError as error:
        raise _fault(key, f"the agent's name would be {name!r}; {error.remedy}") from None


def _fault(key: str, text: str) -> SpecFault:
    return SpecFault(("competition", key), text)
