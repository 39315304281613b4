"""An agent that asks for technical metrics in a lock-step contest, on virtual time."""

from datetime import UTC, datetime
from pathlib import Path

from arena import logs, topics
from arena.bus.memory import MemoryCluster
from arena.messages import ChatRequest, MarketSnapshot, ToolResult, Turn
from arena.settings import Settings
from chat_nodes.model import CallFailed, ModelSettings, RawReply, build_request
from chat_nodes.process import ChatNodeOptions
from chat_nodes.scripted.model import ScriptedModel, completion
from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
from connectors.market.lockstep.run import LockstepOptions
from operations.one_process import Member, run_on_virtual_time
from routers.cli import agent_configs, parse_agent
from routers.process import RouterOptions
from routers.turn_types import Limits
from tests.integration.test_one_process import RULES, START, records_of
from trading_tools.process import ToolsOptions

SNAPSHOTS = 6
STRATEGY = """\
name = "curious"
prompt = "Ask for the RSI of every product, then end."
tools = ["compute_technical_metrics", "list_technical_metrics"]
"""
METRICS = ("rsi_14", "macd", "atr")
GRANULARITIES = ("1m", "5m")


class CuriousModel(ScriptedModel):
    """A model that asks for metrics in the first round, and then ends its turn."""

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Ask for each metric in each granularity, and for the list."""
        calls = [
            (
                "compute_technical_metrics",
                {"product_id": "BTC-USD", "metric": metric, "granularity": granularity},
            )
            for metric in METRICS
            for granularity in GRANULARITIES
        ]
        asked = [*calls, ("list_technical_metrics", {})] if request.round == 0 else []
        body = completion(self.model_id, "Enough." if not asked else "", asked)
        return RawReply(body, build_request(self.model_id, request, {}))


def played(home: Path) -> MemoryCluster:
    """The records of a contest of one agent."""
    home.mkdir()
    (home / "curious.toml").write_text(STRATEGY)
    agents = [parse_agent(f"curious={home / 'curious.toml'}@rules")]
    limits = Limits(rounds=4, decision_s=60.0, tool_s=60.0)
    replay = LockstepOptions(
        agents=("curious",),
        products=("BTC-USD", "SOL-USD"),
        prices=(),
        seed=7,
        start=datetime(2026, 1, 5, tzinfo=UTC),
        interval_s=60.0,
        snapshots=SNAPSHOTS,
        timeouts=LockstepTimeouts(60.0, 60.0),
    )
    settings = Settings(home=home, log_level="WARNING")
    logs.configure(settings, node="one-process")
    members = [
        Member("connector", "replay", replay),
        Member("executor", "tools", ToolsOptions(RULES)),
        Member("chat-node", "rules", ChatNodeOptions(CuriousModel(ModelSettings("scripted")))),
        Member(
            "router",
            "agents",
            RouterOptions(tuple(agent_configs(agents, limits, None, "lock-step", None))),
        ),
    ]
    return run_on_virtual_time(members, settings, start=START)


def results_of(cluster: MemoryCluster) -> list[ToolResult]:
    """Every answer of a tool."""
    found = (record.message() for record in records_of(cluster, topics.inbox("curious")))
    return [message for message in found if isinstance(message, ToolResult)]


def test_answers_are_the_snapshots_values_in_every_run(tmp_path: Path) -> None:
    """Each answer has the value of the turn's snapshot, and two runs give the same answers."""
    cluster, again = played(tmp_path / "one"), played(tmp_path / "two")
    found = [r.message() for r in records_of(cluster, topics.SNAPSHOTS.name)]
    snapshots = {s.snapshot_id: s for s in found if isinstance(s, MarketSnapshot)}
    turns = (record.message() for record in records_of(cluster, topics.TURNS.name))
    shown = {t.turn_id: snapshots[t.snapshot_id] for t in turns if isinstance(t, Turn)}
    results = results_of(cluster)

    assert SNAPSHOTS * (len(METRICS) * len(GRANULARITIES) + 1) == len(results)
    assert [True] * len(results) == [result.ok for result in results]
    assert [(r.call_id, r.text, r.value) for r in results_of(again)] == [
        (r.call_id, r.text, r.value) for r in results
    ]
    for result in results:
        assert isinstance(result.value, dict)
        if result.tool == "list_technical_metrics":
            assert "In the snapshot, 15m: sma_20" in result.text
            continue
        view = shown[result.turn_id].view("BTC-USD")
        assert view is not None
        values = view.indicators[str(result.value["granularity"])].values
        given = result.value["values"]
        assert isinstance(given, dict)
        assert {name: values[name] for name in given} == given
