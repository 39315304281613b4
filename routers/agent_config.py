"""An agent's configuration from the command line, and its announcement to the arena.

Writes `arena.roster` and `account.commands`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena import ids, topics
from arena.messages import (
    COACHED,
    AgentSpec,
    Gates,
    OpenAccount,
    Pacing,
    PromptMode,
    PromptSize,
)
from arena.node import Node
from routers.prompt_sizes import PROMPT_FORMS, cut_strategy, strategy_is_cut
from routers.strategy import Strategy
from routers.turn_types import Limits


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """An agent as configured on the command line.

    Attributes:
        cadence: Every how many snapshots the agent decides.
        pacing: In lock-step no snapshot is skipped at the start, and a turn that a crash
            interrupted is run again.
        scrape: Share of every realised profit that the executor sets aside.
        prompt_size: How much of the market the prompts show.
        replace: Take over the name if another strategy or chat node has used it.
        gates: What holds the agent back from decisions; None if nothing but its cadence does.
        prompts: "frozen" if only its file says how it trades.
        shadow_of: The agent whose text it tries, as a shadow agent; "" for any other.
    """

    agent: str
    chat_node: str
    strategy: Strategy
    limits: Limits
    cadence: int
    pacing: Pacing = "real-time"
    scrape: Decimal | None = None
    prompt_size: PromptSize = "full"
    replace: bool = False
    gates: Gates | None = None
    prompts: PromptMode = COACHED
    shadow_of: str = ""

    @property
    def lock_step(self) -> bool:
        """True if the market waits for this agent."""
        return self.pacing == "lock-step"

    @property
    def coached(self) -> bool:
        """True if its text can be changed while it runs."""
        return self.prompts == COACHED


def spec_of(config: AgentConfig, joined_at: datetime) -> AgentSpec:
    """The agent's entry on the roster."""
    strategy = config.strategy
    return AgentSpec(
        agent=config.agent,
        strategy=strategy.name,
        node=config.chat_node,
        kind="shadow" if config.shadow_of else strategy.kind,
        turn_kind=strategy.turn_kind,
        prompt_sha256=strategy.prompt_sha256,
        prompt_version=strategy.prompt_version,
        tools=strategy.tools,
        cadence=config.cadence,
        seed=strategy.sampling.seed,
        prompt_size=config.prompt_size,
        shows=strategy.shows,
        source=strategy.source,
        source_sha256=strategy.source_sha256,
        joined_at=joined_at,
        gates=config.gates,
        prompts=config.prompts,
        shadow_of=config.shadow_of,
    )


async def announce(node: Node, config: AgentConfig) -> None:
    """Publish the agent on the roster and request its account; harmless when repeated."""
    now = node.clock.now()
    spec = spec_of(config, now)
    await node.bus.send(topics.ROSTER.name, spec, key=f"agent/{config.agent}")
    form = PROMPT_FORMS[config.prompt_size]
    if strategy_is_cut(cut_strategy(config.strategy.prompt, form), form):
        node.log.warning(
            f"the strategy's prompt is cut to {form.strategy_chars_max:,} characters: shorten it, "
            f"or choose a larger prompt than {form.size}",
            agent=config.agent,
            characters=len(config.strategy.prompt),
        )
    call_id = ids.derive("open-account", config.agent)
    command = OpenAccount(call_id=call_id, agent=config.agent, scrape=config.scrape, issued_at=now)
    await node.bus.append(topics.COMMANDS.name, command, key=config.agent)
