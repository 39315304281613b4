"""A whole lock-step contest as tasks of one loop: on virtual time, and over a real Kafka."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import logs, topics
from arena.accounts import Shard
from arena.bus.base import Record
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryCluster
from arena.clock import SystemClock
from arena.errors import ArenaError
from arena.gate_settings import KEYS
from arena.messages import MarketSnapshot, OrderDecided, SkippedSnapshots, Turn
from arena.read_topic import for_each_record
from arena.settings import Settings
from arena.shards import digest_of
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import open_model
from chat_nodes.process import ChatNodeOptions
from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
from connectors.market.lockstep.run import LockstepOptions
from operations.one_process import Member, run_members, run_on_virtual_time
from routers.cli import agent_configs, parse_agent, with_gates
from routers.process import RouterOptions
from routers.turn_types import Limits
from trading_tools.process import ToolsOptions
from trading_tools.rules import TradingRules

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = 20
AGENTS = ("mo=momentum@rules", "coin=random@rules#2", "scalp=scalper@rules#1")
START = datetime(2026, 11, 1, tzinfo=UTC)
RULES = TradingRules(pacing="lock-step")
PROGRAM = """
import sys
from pathlib import Path
from tests.integration.test_one_process import bytes_digest, played

print(bytes_digest(played(Path(sys.argv[1]))))
"""


def members(
    snapshots: int = SNAPSHOTS,
    products: tuple[str, ...] = ("BTC-USD", "SOL-USD"),
    rules: TradingRules = RULES,
    gates: Mapping[str, str] | None = None,
) -> list[Member]:
    """A replay of synthetic prices, its agents, the rules they ask, and the executor."""
    limits = Limits(rounds=4, decision_s=60.0, tool_s=60.0)
    agents = [parse_agent(text) for text in AGENTS]
    replay = LockstepOptions(
        agents=tuple(name for name, *_ in agents),
        products=products,
        prices=(),
        seed=7,
        start=datetime(2026, 1, 5, tzinfo=UTC),
        interval_s=60.0,
        snapshots=snapshots,
        timeouts=LockstepTimeouts(60.0, 60.0),
    )
    configs = agent_configs(agents, limits, None, "lock-step", None)
    configs = with_gates(configs, [(gates or {}).get(key) for key in KEYS])
    return [
        Member("connector", "replay", replay),
        Member("executor", "tools", ToolsOptions(rules)),
        Member("chat-node", "rules", ChatNodeOptions(open_model(ModelSettings("scripted")))),
        Member("router", "agents", RouterOptions(tuple(configs))),
    ]


def played(home: Path) -> MemoryCluster:
    """The records of a run on virtual time."""
    settings = Settings(home=home, log_level="WARNING")
    logs.configure(settings, node="one-process")
    return run_on_virtual_time(members(), settings, start=START)


def records_of(cluster: MemoryCluster, topic: str) -> list[Record]:
    """The records of a topic, partition after partition."""
    parts = sorted(part for part in cluster.logs if part[0] == topic)
    return [record for part in parts for record in cluster.logs[part]]


def bytes_digest(cluster: MemoryCluster) -> str:
    """A hash over every record of every topic, with its time, key and headers."""
    found = hashlib.sha256()
    for part, log in sorted(cluster.logs.items()):
        rows = [(*record[:6], *record.headers.items()) for record in log]
        found.update(repr((part, rows)).encode())
    return found.hexdigest()


def accounts_of(records: Iterable[Record]) -> str:
    """The digest of the accounts that a log folds to."""
    shards: dict[int, Shard] = {}
    for record in records:
        shard = shards.setdefault(record.partition, Shard())
        shard.apply(record.kind, record.value or b"", record.offset)
    return digest_of(shards.values())


def prompts_of(records: Iterable[Record]) -> dict[tuple[str, datetime], str]:
    """Agent and venue time -> hash of the prompt of each completed turn."""
    turns = [turn for r in records if isinstance(turn := r.message(), Turn)]
    return {(t.agent, t.as_of): t.prompt_sha256 for t in turns if t.outcome == "completed"}


@pytest.fixture(scope="module")
def on_virtual_time(tmp_path_factory: pytest.TempPathFactory) -> MemoryCluster:
    """The records of a run on virtual time."""
    return played(tmp_path_factory.mktemp("home"))


def test_run_on_virtual_time_follows_from_its_clock(
    on_virtual_time: MemoryCluster, tmp_path: Path
) -> None:
    """Every agent answers every snapshot and some trade; another process writes the same bytes."""
    again = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    turns = prompts_of(records_of(on_virtual_time, topics.TURNS.name))
    decided = [r.message() for r in records_of(on_virtual_time, topics.EVENTS.name)]

    assert len(AGENTS) * SNAPSHOTS == len(turns)
    assert "filled" in {order.outcome for order in decided if isinstance(order, OrderDecided)}
    assert bytes_digest(on_virtual_time) == again.stdout.strip()


async def test_the_same_members_over_kafka_end_alike(
    on_virtual_time: MemoryCluster, settings: Settings
) -> None:
    """On the system's time and a real broker the prompts and the accounts are the same."""
    logs.configure(settings.override(log_level="WARNING"), node="one-process")
    await run_members(
        members(),
        settings,
        lambda member: KafkaBus(settings, client_id=member.name),
        SystemClock(),
    )
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    events: list[Record] = []
    turns: list[Record] = []
    try:
        await for_each_record(bus, topics.EVENTS, events.append)
        await for_each_record(bus, topics.TURNS, turns.append)
    finally:
        await bus.close()

    assert prompts_of(records_of(on_virtual_time, topics.TURNS.name)) == prompts_of(turns)
    assert accounts_of(records_of(on_virtual_time, topics.EVENTS.name)) == accounts_of(events)


def test_gated_agents_are_asked_and_skipped_alike_in_every_run(tmp_path: Path) -> None:
    """Every snapshot has a turn or a record that it was skipped, and two runs are the same."""
    gates = {"every": "2m", "on_move_pct": "0.05", "quiet_max": "10m", "calls_per_hour_max": "9"}
    clusters = []
    for name in ("first", "second"):
        settings = Settings(home=tmp_path / name, log_level="WARNING")
        logs.configure(settings, node="one-process")
        made = members(gates=gates)
        clusters.append(run_on_virtual_time(made, settings, start=START))
    records = [r.message() for r in records_of(clusters[0], topics.TURNS.name)]
    asked = [(r.agent, r.snapshot_offset) for r in records if isinstance(r, Turn)]
    skips = [r for r in records if isinstance(r, SkippedSnapshots)]
    skipped = [(r.agent, r.snapshot_offset) for r in skips]
    reasons = {reason for r in skips for reason in r.counts}

    assert bytes_digest(clusters[0]) == bytes_digest(clusters[1])
    assert len(AGENTS) * SNAPSHOTS == len({*asked, *skipped}) == len(asked) + len(skipped)
    assert {"every", "no_move", "calls_per_hour_max"} == reasons
    assert {"first", "move"} <= {r.asked for r in records if isinstance(r, Turn)}


def test_error_of_a_member_ends_the_run(tmp_path: Path) -> None:
    """A run without its agents ends with the connector's error, after no real time."""
    connector, executor, *_ = members()

    with pytest.raises(ArenaError, match="there is no router for mo, coin, scalp"):
        run_on_virtual_time([connector, executor], Settings(home=tmp_path), start=START)


def test_two_venues_are_one_market_with_two_currencies(tmp_path: Path) -> None:
    """Snapshots hold both venues as of one time; each order is settled in its own currency."""
    rules = TradingRules.from_flags(
        pacing="lock-step", starting_cash="70000", wallets=["USDT=30000"]
    )
    products = ("BTC-USD", "binance:BTCUSDT", "binance:SOLUSDT")
    settings = Settings(home=tmp_path, log_level="WARNING")
    logs.configure(settings, node="one-process")
    cluster = run_on_virtual_time(members(SNAPSHOTS, products, rules), settings, start=START)
    snapshots = [r.message() for r in records_of(cluster, topics.SNAPSHOTS.name)]
    decided = [r.message() for r in records_of(cluster, topics.EVENTS.name)]
    filled = [o for o in decided if isinstance(o, OrderDecided) and o.outcome == "filled"]

    assert len(snapshots) == SNAPSHOTS
    for snapshot in snapshots:
        assert isinstance(snapshot, MarketSnapshot)
        assert "binance+coinbase" == snapshot.venue
        assert list(products) == [view.product_id for view in snapshot.products]
        seen = {view.ticker.venue for view in snapshot.products if view.ticker is not None}
        assert {"binance", "coinbase"} == seen
    assert {"", "USDT"} == {order.currency for order in filled}
    assert all((order.currency == "USDT") == (":" in order.product_id) for order in filled)
    assert all(order.seen is not None for order in filled if not order.cause)
