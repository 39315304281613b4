"""Who plays, as it was asked for on the command line, and how the others learn of it.

Writes `arena.roster` and `account.commands`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arena import ids, topics
from arena.messages import AgentSpec, OpenAccount, Pacing, PromptSize
from arena.node import Node
from routers.plan import Limits
from routers.prompt_sizes import FORMS, cut_strategy, strategy_is_cut
from routers.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent as it was asked for on the command line.

    Attributes:
        cadence: Answers every n-th snapshot.
        pacing: In lock-step no snapshot is passed over at the start, and a turn that a crash cut
            off is run again.
        scrape: Share of every realised profit that the executor sets aside.
        prompt_size: How much of the market its prompts show.
        replace: Take the name from another strategy or chat node that played under it.
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

    @property
    def lock_step(self) -> bool:
        """True where the market waits for this agent."""
        return self.pacing == "lock-step"


def spec_of(seat: Seat, joined_at: datetime) -> AgentSpec:
    """The agent as the roster lists it."""
    strategy = seat.strategy
    return AgentSpec(
        agent=seat.agent,
        strategy=strategy.name,
        node=seat.chat_node,
        kind=strategy.kind,
        prompt_sha256=strategy.prompt_sha256,
        prompt_version=strategy.prompt_version,
        tools=strategy.tools,
        cadence=seat.cadence,
        seed=strategy.sampling.seed,
        prompt_size=seat.prompt_size,
        source=strategy.source,
        source_sha256=strategy.source_sha256,
        joined_at=joined_at,
    )


async def announce(node: Node, seat: Seat) -> None:
    """Say who plays, and ask for an account; both are harmless when repeated."""
    now = node.clock.now()
    spec = spec_of(seat, now)
    await node.bus.send(topics.ROSTER.name, spec, key=f"agent/{seat.agent}")
    form = FORMS[seat.prompt_size]
    if strategy_is_cut(cut_strategy(seat.strategy.prompt, form), form):
        node.log.warning(
            f"the strategy's prompt is cut to {form.strategy_chars_max:,} characters: shorten it, "
            f"or choose a larger prompt than {form.size}",
            agent=seat.agent,
            characters=len(seat.strategy.prompt),
        )
    call_id = ids.derive("open-account", seat.agent)
    command = OpenAccount(call_id=call_id, agent=seat.agent, scrape=seat.scrape, issued_at=now)
    await node.bus.append(topics.COMMANDS.name, command, key=seat.agent)
