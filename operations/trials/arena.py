"""The arena of a trial: the specification of its run, and the texts that are tried.

Reads the specification of a run, and the files of strategies that it names; writes the files of the
strategies of a trial.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from arena.errors import UsageError
from arena.plugin_options import PluginChoice
from arena.run_lookup import ArenaLocation
from arena.runs import SPEC_FILE
from arena.settings import Settings
from arena.strategy_files import is_file_name
from arena.unknown_names import unknown_name
from operations.commands.plugins import LoadedSpec, load_spec_for_run
from operations.specs.arena_spec import AgentTable, ChatNodeTable, read_spec
from operations.specs.toml_text import to_toml
from operations.specs.trial import STRATEGY_FILES, strategy_fields

STRATEGIES = "routers.strategy"
TRIALS = "trials"
"""Folder of the run's directory with the strategies and logs of its trials."""
ALLOWED = PluginChoice((), allow=True)
"""The plugins that a run's file names were allowed when it was started."""


@dataclass(frozen=True, slots=True)
class TrialArena:
    """The arena of a trial.

    Attributes:
        loaded: The specification of its run.
        directory: The directory of the run.
        settings: Broker, prefix and home.
    """

    loaded: LoadedSpec
    directory: Path
    settings: Settings

    def agent(self, name: str) -> AgentTable:
        """The agent as the specification has it.

        Raises:
            UsageError: It has no such agent.
        """
        agents = {one.name: one for one in self.loaded.spec.agents}
        if name not in agents:
            raise unknown_name("agent", name, agents)
        return agents[name]

    def chat_node(self, agent: AgentTable) -> ChatNodeTable:
        """The chat node of an agent."""
        nodes = self.loaded.spec.chat_nodes
        return next(one for one in nodes if one.name == agent.chat_node)

    # Any: fields of a strategy.
    def strategy(self, agent: AgentTable) -> dict[str, Any]:
        """The fields of an agent's strategy.

        Raises:
            UsageError: It cannot be used, or it is a baseline.
        """
        path = self.loaded.folder / agent.strategy
        name = str(path) if is_file_name(agent.strategy) else agent.strategy
        strategy = import_module(STRATEGIES).load_strategy(name, self.loaded.plugins)
        if strategy.kind == "baseline":
            raise UsageError(
                f"{agent.name} is a baseline, which a text does not change",
                remedy="name a competing agent",
            )
        sampling = strategy.sampling.model_dump(exclude_none=True)
        return {**asdict(strategy), "sampling": sampling}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a trial."""

    champion: str
    challenger: str


def arena_of(location: ArenaLocation) -> TrialArena:
    """The arena at a location.

    Raises:
        UsageError: It has no run, or its specification cannot be used.
    """
    if location.run is None or location.directory is None:
        raise UsageError("a trial needs a run", remedy="name one with --run; see `arena runs list`")
    path, folder = location.directory / SPEC_FILE, Path(location.run.folder)
    loaded = load_spec_for_run(read_spec(path), path, folder, ALLOWED)
    return TrialArena(loaded, location.directory.resolve(), location.settings)


# Any: fields of a strategy.
def write_strategies(folder: Path, strategy: Mapping[str, Any], texts: Texts) -> None:
    """Write the files of the strategies of a trial's arms.

    Args:
        folder: Where to; it exists.
        strategy: The fields of the agent's strategy.
        texts: What differs.
    """
    for arm, file in STRATEGY_FILES.items():
        fields = strategy_fields(strategy, getattr(texts, arm))
        (folder / file).write_text(to_toml(fields), encoding="utf-8")
