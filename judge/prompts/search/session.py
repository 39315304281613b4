"""Runs a search in an arena: reads its records, asks its chat node, and proposes what was found.

Reads `agent.turns`, `ai_prompted.<node>`, `prompts`, `arena.roster`, `market.snapshots` and
`judge.inbox`; writes `ai_prompted.<node>` and `prompts`. Scripted rules answer in this process. Of
a run that has ended only the records are read, and nothing is written.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from arena.bus.base import Bus
from arena.command_sender import command_sender
from arena.errors import ArenaError, UsageError
from arena.messages import ChatReply, ChatRequest
from arena.prompt_log import append_prompt, newest_as_of, read_prompts
from arena.prompt_versions import AgentPrompts
from arena.roster import read_agents
from arena.unknown_names import unknown_name
from judge.prompts.frozen import require_coached
from judge.prompts.search.asker import Answered, SearchAsker
from judge.prompts.search.optimise import SearchResult, SearchTools, optimise, proposal_of
from judge.prompts.search.read_recorded import read_recorded
from judge.prompts.search.recorded import CutText, RecordedPrompt, recorded_text

Result = TypeVar("Result")
ScriptedAnswers = Callable[[str, str, Sequence[ChatRequest]], list[ChatReply]]
"""The replies of scripted rules: model id, chat node, requests."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is searched.

    Attributes:
        agent: The agent.
        budget_calls: Most calls of all kinds.
        reflection: Chat node that is asked for better texts; "" for the coach's templates.
        is_running: True if the arena runs, so chat nodes answer and routers take a proposal.
        scripted: Answers in place of a scripted chat node.
        cut: Cuts a text as the agent's prompts do.
        answered: Called after answers of a chat node came.
    """

    agent: str
    budget_calls: int
    reflection: str
    is_running: bool
    scripted: ScriptedAnswers
    cut: CutText
    answered: Answered


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """How a search ended.

    Attributes:
        result: Its result.
        node: The chat node that answered for the agent.
        scripted: True if scripted rules did.
        proposed: True if the text was proposed.
        refused: Why the proposal does not count, because the agent's prompts were changed
            meanwhile; "" if it counts, and without a proposal.
    """

    result: SearchResult
    node: str
    scripted: bool
    proposed: bool
    refused: str = ""


async def run_search(bus: Bus, source: Bus, plan: SearchPlan) -> SearchOutcome:
    """Search a better text, and propose it if the arena runs.

    Args:
        bus: A started bus of the arena.
        source: A started bus with the recorded snapshots; often the same.
        plan: What is searched.

    Raises:
        UsageError: The agent is unknown, or there are too few snapshots or calls.
        ArenaError: Its text cannot be changed.
        DependencyMissing: A chat node does not answer.
    """
    own = await _prompts_of(bus, plan)
    prompts = await read_recorded(source, plan.agent)
    if not prompts:
        agents = await read_agents(source)
        if plan.agent not in agents:
            raise unknown_name("agent", plan.agent, agents)
        raise UsageError(
            f"no recorded decision of {plan.agent} can be shown again",
            remedy="requests are kept for 7 days, and only decisions of the kind single are used;"
            " name a run with exported records: --snapshots RUN",
        )
    now = own.in_force(await newest_as_of(bus))
    parent = recorded_text(prompts) if now is None else now.text
    async with AsyncExitStack() as stack:
        tools = await _tools(bus, plan, prompts, stack)
        work = partial(optimise, parent, prompts, plan.budget_calls, tools)
        result = await bus.threads.run(work)
    last = prompts[-1].turn
    if result.text is None or not plan.is_running:
        return SearchOutcome(result, last.node, last.scripted, proposed=False)
    refused = await _propose(bus, plan.agent, result)
    return SearchOutcome(result, last.node, last.scripted, proposed=not refused, refused=refused)


async def _prompts_of(bus: Bus, plan: SearchPlan) -> AgentPrompts:
    """The versions of the agent, after the checks that a proposal must pass."""
    agents = await read_agents(bus)
    own = (await read_prompts(bus)).of(plan.agent)
    kind = agents[plan.agent].kind if plan.agent in agents else "agent"
    if kind != "agent":
        what = (
            "a baseline, which a text does not change" if kind == "baseline" else "a shadow agent"
        )
        raise UsageError(f"{plan.agent} is {what}", remedy="name a competing agent")
    if not plan.is_running:
        return own
    require_coached(plan.agent, agents, "no text is searched")
    if own.frozen:
        raise ArenaError(
            f"the prompts of {plan.agent} are frozen",
            remedy=f"`arena prompts freeze {plan.agent} --off` allows changes",
        )
    if own.pending is not None:
        raise ArenaError(
            f"version {own.pending.short} of {plan.agent} is pending",
            remedy="approve or reject it first",
        )
    return own


async def _propose(bus: Bus, agent: str, result: SearchResult) -> str:
    """Propose the text; returns why the proposal does not count, "" if it does."""
    proposed = proposal_of(
        result, agent, by=command_sender(), as_of=await newest_as_of(bus), at=bus.clock.now()
    )
    why, _ = await append_prompt(bus, proposed)
    return why


async def _tools(
    bus: Bus, plan: SearchPlan, prompts: Sequence[RecordedPrompt], stack: AsyncExitStack
) -> SearchTools:
    last = prompts[-1].turn
    calls = stack.enter_context(_Calls(asyncio.get_running_loop()))
    reflect: Callable[[str], str] | None = None
    if plan.reflection:
        asker = await _asker(bus, plan, plan.reflection, stack)
        reflect = partial(_reflected, calls, asker)
    if last.scripted:
        return SearchTools(partial(plan.scripted, last.model, last.node), reflect, plan.cut)
    asker = await _asker(bus, plan, last.node, stack)
    return SearchTools(lambda requests: calls.run(asker.ask(requests)), reflect, plan.cut)


async def _asker(bus: Bus, plan: SearchPlan, node: str, stack: AsyncExitStack) -> SearchAsker:
    if not plan.is_running:
        raise UsageError(
            f"chat node {node} does not run: the arena has ended",
            remedy="start the arena again, or start another one and name this run with --snapshots",
        )
    asker = SearchAsker(bus, node, plan.answered)
    stack.push_async_callback(asker.close)
    await asker.start()
    return asker


def _reflected(calls: "_Calls", asker: SearchAsker, prompt: str) -> str:
    return calls.run(asker.reflect(prompt))


class _Calls:
    """Runs coroutines in a loop for a thread that waits for them, until the search ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended = False

    def __enter__(self) -> "_Calls":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True

    # Any: what a coroutine sends and takes.
    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine, which runs in the loop."""
        if self._ended:
            work.close()
            raise ArenaError("the search was stopped")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
