"""Which agents are shadow agents: they try a text in a trial, and have neither a rank nor an owner.

Pure. Their names begin with a prefix that no other agent can take, so a fold of records that has
not read the roster yet knows them too.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from arena.messages import AgentSpec
from arena.plural import counted
from arena.unknown_names import SHADOW_PREFIX

SHADOW_OF = "shadow_of"
"""Detail of the heartbeat of their router: the agent whose text they try."""


def is_shadow(name: str, spec: AgentSpec | None = None) -> bool:
    """True for a shadow agent.

    Args:
        name: Name of the agent.
        spec: Its entry on the roster; without one its name decides.
    """
    return name.startswith(SHADOW_PREFIX) if spec is None else spec.is_shadow


def named(name: str) -> str:
    """A name in a list of accounts: that of a shadow agent says what it is."""
    return f"{name} (shadow agent of a trial)" if is_shadow(name) else name


def shadow_cost_text(calls: int, cost_usd: Decimal | None) -> str:
    """What shadow agents cost: "Shadow agents of trials: 12 model calls, $0.02".

    Args:
        calls: Their model calls.
        cost_usd: Cost of the calls; None if a price is unknown.
    """
    cost = "cost unknown" if cost_usd is None else f"${cost_usd:.2f}"
    return f"Shadow agents of trials: {counted(calls, 'model call')}, {cost}"


def without_shadows(names: Iterable[str], roster: Mapping[str, AgentSpec]) -> list[str]:
    """The names of the agents that are not shadow agents, in their order."""
    return [name for name in names if not is_shadow(name, roster.get(name))]
