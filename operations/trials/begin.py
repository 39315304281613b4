"""Begins a trial by shadow agents, or finds the one that is running.

Reads `prompts`, `arena.roster`, `arena.control` and `market.snapshots`; writes `prompts`.
"""

from dataclasses import dataclass
from importlib import import_module

from arena.bus.base import Bus
from arena.errors import ArenaError, UsageError
from arena.halt_command import read_halts
from arena.messages import TrialStarted
from arena.prompt_log import append_prompt, newest_as_of, read_prompts
from arena.prompt_trials import running_trial
from arena.prompt_versions import AgentPrompts, short_version, version_of
from arena.roster import read_agents
from operations.specs.shadows import shadow_arms, trial_id_of
from operations.trials.arena import TrialArena

COMMANDS = "judge.prompts.commands"
FROZEN = "judge.prompts.frozen"


@dataclass(frozen=True, slots=True)
class TrialAsked:
    """A trial that is asked for.

    Attributes:
        agent: The agent.
        text: The text to propose first; None to try the pending proposal.
        snapshots: Its length.
        repeats: Shadow agents per arm.
        bound_pct: Loss of return that must be excluded, in percent.
    """

    agent: str
    text: str | None
    snapshots: int
    repeats: int
    bound_pct: float


async def begin_trial(bus: Bus, arena: TrialArena, asked: TrialAsked, by: str) -> TrialStarted:
    """Begin a trial, or return the one that is running.

    Args:
        bus: Connected.
        arena: The arena.
        asked: What is tried.
        by: The sender of the record.

    Raises:
        UsageError: There is nothing to try, or another trial is running.
        ArenaError: The agent's prompts are frozen, it is halted, or the record does not count.
    """
    name = asked.agent
    require_live_market(arena)
    arena.strategy(arena.agent(name))
    agents = await read_agents(bus)
    import_module(FROZEN).require_coached(name, agents, "no text can be tried")
    own = (await read_prompts(bus)).of(name)
    running = running_trial(own.trials)
    if running is not None and running.started is not None:
        if asked.text is not None and version_of(asked.text) != running.challenger:
            raise UsageError(
                f"a trial of another text of {name} is running: "
                f"{short_version(running.challenger)}",
                remedy=f"continue it: arena prompts trial {name} --live; "
                f"or end it: arena prompts trial {name} --stop",
            )
        return running.started
    if (halt := (await read_halts(bus)).halt_of(name)) is not None:
        raise ArenaError(halt.line, remedy="resume it first: arena resume")
    if asked.text is not None:
        own = await import_module(COMMANDS).propose_text(bus, name, asked.text, "to be tried")
    return await start_trial(bus, own, asked, by)


async def start_trial(bus: Bus, own: AgentPrompts, asked: TrialAsked, by: str) -> TrialStarted:
    """Append the start of a trial of the pending proposal.

    Raises:
        UsageError: No proposal is pending, or no text is in force.
        ArenaError: The record does not count.
    """
    as_of = await newest_as_of(bus)
    now = own.in_force(as_of)
    if own.pending is None or now is None:
        raise UsageError(
            f"{asked.agent} has no pending proposal",
            remedy="name a file with another text; see `arena prompts list`",
        )
    versions = (now.version, own.pending.version)
    trial_id = trial_id_of(asked.agent, *versions, as_of, "live")
    started = TrialStarted(
        trial_id=trial_id,
        agent=asked.agent,
        champion=now.version,
        challenger=own.pending.version,
        arms=shadow_arms(trial_id, asked.repeats),
        snapshots=asked.snapshots,
        bound_pct=asked.bound_pct,
        by=by,
        as_of=as_of,
        at=bus.clock.now(),
    )
    why, book = await append_prompt(bus, started)
    if why:
        other = running_trial(book.of(asked.agent).trials)
        if other is not None and other.trial_id == trial_id and other.started is not None:
            return other.started
        raise ArenaError(
            f"the trial did not begin: {why}", remedy=f"see `arena prompts list {asked.agent}`"
        )
    return started


def require_live_market(arena: TrialArena) -> None:
    """Refuse an arena whose market waits for its agents.

    Raises:
        UsageError: It is a contest in lock-step.
    """
    contest = arena.loaded.spec.competition
    if contest is not None and contest.lock_step:
        raise UsageError(
            "the market of this contest waits for its agents, so none can be added",
            remedy="omit --live: the trial is then a contest of its own",
        )
