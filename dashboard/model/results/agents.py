"""One agent: everything that is known of it. Pure."""

from dashboard.model.results.base import Result
from dashboard.model.results.markets import Position
from dashboard.model.results.standings import AgentStanding, DeadAgentResult, HaltResult
from dashboard.model.results.verdicts import VerdictRow


class AgentDetail(Result):
    """An agent.

    Attributes:
        dead: Why it is dead; None if it is alive.
        halted: The halts that cover it.
        verdict: Its entrant in the newest verdict; None without one.
    """

    standing: AgentStanding
    dead: DeadAgentResult | None
    halted: tuple[HaltResult, ...]
    verdict: VerdictRow | None
    positions: tuple[Position, ...]
