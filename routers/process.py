"""The process `arena router` or `arena routers`: one or more agents."""

from dataclasses import dataclass

from arena.node import Node
from routers.agent_config import AgentConfig
from routers.service import TOOLS_DEADLINE_S, serve_agents


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Options of a router.

    Attributes:
        agents: The agents, all with the same pacing.
        tools_deadline_s: How long to wait for the tools that their strategies name.
    """

    agents: tuple[AgentConfig, ...]
    tools_deadline_s: float = TOOLS_DEADLINE_S


async def serve(node: Node, options: RouterOptions) -> None:
    """Run the agents until cancelled."""
    await serve_agents(node, options.agents, tools_deadline_s=options.tools_deadline_s)
