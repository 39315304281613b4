"""The arena that is simulated: which processes, which agents, which market. Drawn from a seed."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from random import Random
from typing import Any

from arena.indicators.feature_sets import NO_FEATURES
from arena.plugins import NO_PLUGINS
from operations.one_process import Member, entry_of, kind_of
from operations.simulation import readings

MARKETS = 4
"""Different markets; each is played up to its first snapshot once, before the first run."""
STRATEGIES = ("momentum", "random", "scalper", "brainrot")
PRODUCTS = ("BTC-USD", "SOL-USD")
HISTORY_MINUTES = 30
PRICE_AGE_S_MAX = 86_400
"""Venue time runs faster than the clocks of the hosts."""
START = datetime(2026, 1, 5, tzinfo=UTC)
NODE = "rules"
JUDGE_SHARE, BOOKS_SHARE = 0.1, 0.1
"""Share of the runs with a judge, and with books."""
LOADED = (
    "ledger.audit.auditor",
    "routers.kinds.single",
    "routers.tool_round",
    "routers.turn_records",
)
"""Modules that processes load when they need them, and what a run needs afterwards."""


@dataclass(frozen=True, slots=True)
class ArenaPlan:
    """The arena of one run.

    Attributes:
        agents: Agents as `arena routers --agent` names them.
        snapshots: Number of snapshots.
        market: Number of the market, below `MARKETS`.
        products: Number of products.
        pacing: "lock-step", or "real-time": then the market waits for `deadline_s` at most, and an
            order is decided by the newest prices.
        deadline_s: Seconds for the turns on a snapshot.
        executors, chat_nodes: Number of processes.
        shards: Partitions of the account topics.
        checkpoint_events: Events between two checkpoints of a shard.
        judge: A judge runs.
        books: Number of processes that keep the books.
    """

    agents: tuple[str, ...]
    snapshots: int
    market: int
    products: int
    pacing: str
    deadline_s: float
    executors: int
    chat_nodes: int
    shards: int
    checkpoint_events: int
    judge: bool = False
    books: int = 0


def drawn_arena(random: Random, agents: int, snapshots: int) -> ArenaPlan:
    """Draw the arena of a run.

    Args:
        random: The source of the draws.
        agents: Number of agents.
        snapshots: Number of snapshots.
    """
    named = []
    for number in range(agents):
        strategy = STRATEGIES[number] if number < 2 else random.choice(STRATEGIES)
        seed = f"#{random.randrange(100)}" if strategy in ("random", "scalper") else ""
        named.append(f"a{number}={strategy}@{NODE}{seed}")
    pacing = random.choice(("lock-step", "real-time"))
    deadlines = (300.0, 120.0, 60.0) if pacing == "lock-step" else (1.0, 5.0, 30.0)
    return ArenaPlan(
        agents=tuple(named),
        snapshots=snapshots,
        market=random.randrange(MARKETS),
        products=random.choice((1, 1, len(PRODUCTS))),
        pacing=pacing,
        deadline_s=random.choice(deadlines),
        executors=random.choice((1, 2, 2, 3)),
        chat_nodes=random.choice((1, 2)),
        shards=random.choice((1, 1, 2, 3)),
        checkpoint_events=random.choice((10, 40, 50_000)),
    )


# Any: operations compose the rooms by name, and do not import them.
def _room(name: str) -> Any:
    return import_module(name)


def _lockstep(
    market: int, products: int, snapshots: int, agents: tuple[str, ...], wait_s: float
) -> Any:
    run, publisher = (
        _room(f"connectors.market.lockstep.{name}") for name in ("run", "lockstep_publisher")
    )
    return run.LockstepOptions(
        agents=agents,
        products=PRODUCTS[:products],
        prices=(),
        seed=market + 1,
        start=START,
        interval_s=60.0,
        snapshots=snapshots,
        timeouts=publisher.LockstepTimeouts(wait_s, 600.0),
        features=NO_FEATURES,
        history_minutes=HISTORY_MINUTES,
    )


@cache
def _played(market: int, products: int, snapshots: int) -> bytes:
    """A replay at its first snapshot, pickled."""
    run = _room("connectors.market.lockstep.run")
    return pickle.dumps(run.build_replay(_lockstep(market, products, snapshots, (), 60.0)))


def prepare(snapshots: int) -> None:
    """Load all rooms, and play all markets up to their first snapshots."""
    readings.prepare()
    for name in LOADED:
        _room(name)
    _room("trading_tools.plugin_tools").load_tools(NO_PLUGINS)
    plan = drawn_arena(Random(0), 1, snapshots)
    agents = tuple(f"a{number}={name}@{NODE}" for number, name in enumerate(STRATEGIES))
    plan = replace(plan, agents=agents)
    for member in members_of(plan).values():
        entry_of(kind_of(member()))
    for market in range(MARKETS):
        for products in (1, len(PRODUCTS)):
            _played(market, products, snapshots)


def members_of(plan: ArenaPlan, *, agents_per_router: int = 1) -> dict[str, Callable[[], Member]]:
    """Name of each process -> what it runs; called again at each start. The first ends the run.

    Args:
        plan: The arena.
        agents_per_router: Agents of one router process.
    """
    found: dict[str, Callable[[], Member]] = {}
    routers, tools = _room("routers.cli"), _room("trading_tools.process")
    parsed = [routers.parse_agent(text) for text in plan.agents]
    names = tuple(name for name, *_ in parsed)
    limits = _room("routers.turn_types").Limits(
        rounds=4, decision_s=plan.deadline_s, tool_s=plan.deadline_s
    )

    def connector() -> Member:
        options = _lockstep(plan.market, plan.products, plan.snapshots, names, plan.deadline_s)
        played = pickle.loads(_played(plan.market, plan.products, plan.snapshots))  # our own bytes
        return Member("connector", "replay", replace(options, replay=played))

    found["connector"] = connector
    rules = _room("trading_tools.rules").TradingRules(
        pacing=plan.pacing, price_age_s_max=PRICE_AGE_S_MAX
    )
    executor = tools.ToolsOptions(rules)
    for number in range(1, plan.executors + 1):
        found[f"tools-{number}"] = _same(Member("executor", f"tools-{number}", executor))
    for number in range(1, plan.chat_nodes + 1):
        found[f"chat-{number}"] = _chat_node
    for at in range(0, len(parsed), agents_per_router):
        group = parsed[at : at + agents_per_router]
        configs = tuple(routers.agent_configs(group, limits, None, plan.pacing, None))
        options = _room("routers.process").RouterOptions(configs)
        found[f"router-{group[0][0]}"] = _same(Member("router", group[0][0], options))
    if plan.judge:
        found["judge"] = _same(Member("judge", "judge", readings.judge_options()))
    return found


def with_judge_and_books(plan: ArenaPlan, random: Random) -> ArenaPlan:
    """The arena of a run with a judge and books, if they are drawn.

    Args:
        plan: The arena.
        random: The source of the draws; not that of the rest, which then stays as it is.
    """
    judge = random.random() < JUDGE_SHARE
    books = random.choice((1, 2)) if random.random() < BOOKS_SHARE else 0
    return replace(plan, judge=judge, books=books)


def _same(member: Member) -> Callable[[], Member]:
    return lambda: member


def _chat_node() -> Member:
    settings = _room("chat_nodes.model").ModelSettings("scripted")
    model = _room("chat_nodes.model_types").open_model(settings)
    return Member("chat-node", NODE, _room("chat_nodes.process").ChatNodeOptions(model))
