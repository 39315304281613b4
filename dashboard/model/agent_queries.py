"""Questions about one agent, and about its prompts. Pure."""

from arena.kill_switch import ALL_AGENTS
from dashboard.model import agent_results, queries
from dashboard.model.coaching_results import coaching_of
from dashboard.model.frame import Frame
from dashboard.model.results import AgentCoaching, AgentDetail, Agents, RenderedPrompt, TurnDetail
from dashboard.model.view import ArenaView


def agents(frame: Frame) -> Agents:
    """All agents."""
    return Agents(
        agents=tuple(agent_results.agent_standing(row) for row in frame.ranking),
        dead=agent_results.dead_agents(frame),
        other_accounts=tuple(agent_results.agent_standing(row) for row in frame.other_accounts),
    )


def agent_detail(view: ArenaView, frame: Frame, agent: str) -> AgentDetail:
    """Everything that is known of an agent.

    Raises:
        UnknownName: No agent has this name.
    """
    verdict = queries.verdict(view)
    rows = verdict.rows if verdict else ()
    dead = (one for one in agent_results.dead_agents(frame) if one.agent == agent)
    return AgentDetail(
        standing=queries.standing(frame, agent),
        dead=next(dead, None),
        halted=tuple(
            one for one in agent_results.halts(frame.halts) if one.scope in (agent, ALL_AGENTS)
        ),
        verdict=next((row for row in rows if agent in (row.agent, *row.agents)), None),
        positions=queries.positions(frame, agent),
    )


def coaching(view: ArenaView, frame: Frame, agent: str) -> AgentCoaching:
    """What a coach sees of an agent.

    Raises:
        UnknownName: No agent has this name.
    """
    queries.standing(frame, agent)
    return coaching_of(view, agent)


def rendered_prompt(turn: TurnDetail) -> RenderedPrompt:
    """The prompt of a turn."""
    summary = turn.summary
    return RenderedPrompt(
        agent=summary.agent,
        turn_id=summary.turn_id,
        strategy=summary.strategy,
        snapshot_id=summary.snapshot_id,
        as_of=summary.as_of,
        messages=turn.prompt,
        sha256=turn.prompt_sha256,
        size=turn.prompt_size,
        left_out=turn.left_out,
    )
