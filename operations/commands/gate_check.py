"""Checks before a start that an agent's gates agree with those in its strategy's file.

Reads the files of strategies, and runs none of them: settings in a `.py` file that are not literals
are checked by its router.
"""

from pathlib import Path

from arena.gate_settings import KEYS, GateFault, gates_of
from arena.plugins import NO_PLUGINS, Plugins
from arena.strategy_files import fields_of_file, is_file_name
from operations.specs.arena_spec import ArenaSpec
from operations.specs.tables import AgentTable


def gate_faults(spec: ArenaSpec, folder: Path, plugins: Plugins = NO_PLUGINS) -> list[str]:
    """What is wrong with the gates of agents, a text with the remedy for each agent.

    Args:
        spec: The arena.
        folder: The folder to which its paths are relative.
        plugins: The plugins whose strategies its agents may play.
    """
    found = []
    for agent in spec.agents:
        path = _file_of(agent, folder, plugins)
        fields = {} if path is None else fields_of_file(path)
        own = {key: fields[key] for key in KEYS if key in fields}
        assumed = {}
        if path is not None and path.suffix == ".py" and "on_move_pct" not in own:
            assumed = {"on_move_pct": 1}  # It may be there, and not be a literal.
        try:
            gates_of(assumed, own, agent.gate_settings)
        except GateFault as fault:
            both = f" with the gates in {agent.strategy}" if own else ""
            found.append(f"agent {agent.name}{both}: {fault}")
    return found


def _file_of(agent: AgentTable, folder: Path, plugins: Plugins) -> Path | None:
    """The file of an agent's strategy; None for a shipped one, which has no gates."""
    name = agent.strategy
    return folder / name if is_file_name(name) else plugins.strategy(name)
