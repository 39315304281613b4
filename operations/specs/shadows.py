"""Shadow agents: three arms that try a text beside the agent whose text it is. Pure.

They have the agent's chat node, cadence, gates, size of prompts and limits of a turn, and run in
one router process. Champion and challenger share seeds; the copy has others.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from arena.messages import TrialStarted
from arena.messages.trials import TRIAL_ARMS, TrialArmName, TrialMarket
from arena.plugins import NO_PLUGINS, Plugins
from arena.unknown_names import SHADOW_PREFIX
from operations.specs.tables import AgentTable, ChatNodeTable
from operations.specs.trial import STRATEGY_FILES, seed_of
from operations.supervisor.plan import router_command

TRIAL_ID_DIGITS: Final = 12


def trial_id_of(
    agent: str, champion: str, challenger: str, as_of: datetime | None, market: TrialMarket
) -> str:
    """The id of a trial, derived from what is tried and when.

    Args:
        agent: The agent.
        champion: Version of the text in force.
        challenger: Version of the proposed text.
        as_of: Venue time of its start.
        market: Where it runs.
    """
    when = "" if as_of is None else as_of.isoformat()
    parts = "\x1f".join((agent, champion, challenger, when, market))
    return hashlib.sha256(parts.encode()).hexdigest()[:TRIAL_ID_DIGITS]


def shadow_arms(trial_id: str, repeats: int) -> dict[TrialArmName, tuple[str, ...]]:
    """Arm -> names of its shadow agents, one per repeat."""
    return {
        arm: tuple(f"{SHADOW_PREFIX}{trial_id}-{arm}-{n}" for n in range(1, repeats + 1))
        for arm in TRIAL_ARMS
    }


def shadow_agents(agent: AgentTable, started: TrialStarted, folder: Path) -> list[AgentTable]:
    """The shadow agents of a trial, as tables of one process.

    Args:
        agent: The agent as the arena's specification has it.
        started: The trial.
        folder: Where the files of the strategies are.
    """
    return [
        agent.model_copy(
            update={
                "name": name,
                "strategy": str(folder / STRATEGY_FILES.get(arm, STRATEGY_FILES["champion"])),
                "seed": seed_of(arm, repeat),
                "process": process_name(started.trial_id),
            }
        )
        for arm, names in started.arms.items()
        for repeat, name in enumerate(names, 1)
    ]


def process_name(trial_id: str) -> str:
    """The name of the process that runs the shadow agents of a trial."""
    return f"trial-{trial_id}"


def shadow_command(
    agent: AgentTable,
    started: TrialStarted,
    folder: Path,
    nodes: Sequence[ChatNodeTable] = (),
    plugins: Plugins = NO_PLUGINS,
) -> list[str]:
    """The command of the router that runs the shadow agents.

    Args:
        agent: The agent as the arena's specification has it.
        started: The trial.
        folder: Where the files of the strategies are; absolute.
        nodes: The chat nodes, which may have a size of prompts.
        plugins: Tools and strategies outside the source tree.
    """
    agents = tuple(shadow_agents(agent, started, folder))
    words = router_command(agents, folder, tuple(nodes), plugins)
    return [*words, "--shadow-of", started.agent]
