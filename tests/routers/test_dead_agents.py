"""A router reports its dead agents, and logs consecutive failures in a few lines."""

from structlog.testing import capture_logs

from arena.agent_health import DEAD_TURNS
from arena.bus.memory import MemoryBus
from arena.messages import ChatReply, ChatRequest
from arena.node import Node
from operations.commands.status_rows import dead_agents, process_rows
from tests.routers.builders import reply
from tests.routers.fake_peers import FakePeers, agent_config, playing, until

ERROR = "401: wrong key"


class RefusingModel:
    """A model whose server refuses the key for a while."""

    def __init__(self) -> None:
        """Start refusing."""
        self.refuses = True

    def __call__(self, request: ChatRequest) -> ChatReply:
        """Answer with an error or with text."""
        if not self.refuses:
            return reply(request, text="flat")
        refused = reply(request, outcome="failed", error=ERROR)
        return refused.model_copy(update={"cause": "auth"})


def shown_dead(node: Node) -> list[str]:
    """The dead agents, as `arena status` reads them from the heartbeat."""
    now = node.clock.now()
    beat = node.heartbeat(now)
    found = process_rows([beat], None, host=node.host, now=now, interval_s=5.0)
    return [f"{one.agent}: {one.cause} x{one.turns}" for one in dead_agents([beat], found, None)]


async def test_dead_agents_are_in_the_heartbeat_until_they_decide_again(
    memory_bus: MemoryBus,
) -> None:
    """With cause and number of turns; other agents of the process are not listed."""
    server = RefusingModel()
    async with (
        FakePeers(memory_bus, server).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        await until(lambda: shown_dead(node) == [f"alpha: {ERROR} x1"])
        server.refuses = False
        await peers.publish(1)
        await peers.wait_for_turns(2)
        await until(lambda: shown_dead(node) == [])


async def test_repeated_failures_are_logged_in_few_lines(memory_bus: MemoryBus) -> None:
    """Five failed turns give three warnings with a count, and no info line each."""
    server = RefusingModel()
    with capture_logs() as lines:
        async with (
            FakePeers(memory_bus, server).working() as peers,
            playing(memory_bus, agent_config()),
        ):
            for number in range(DEAD_TURNS):
                await peers.publish(number)
                await peers.wait_for_turns(number + 1)
            server.refuses = False
            await peers.publish(DEAD_TURNS)
            await peers.wait_for_turns(DEAD_TURNS + 1)
    failed = [line["failures"] for line in lines if line["event"] == "turns fail"]
    again = [line["failures"] for line in lines if line["event"] == "turns give decisions again"]
    each = [line for line in lines if line["event"] == "turn" and line["log_level"] == "info"]

    assert (failed, again, len(each)) == ([1, 2, 4], [DEAD_TURNS], 1)
