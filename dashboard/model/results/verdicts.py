"""The judge's verdict. Pure."""

from arena.messages import Claim, DeadEntry, Detectable
from arena.messages.base import Utc
from arena.money import WireDecimal
from dashboard.model.results.base import Kind, Result


class VerdictRow(Result):
    """An entrant of the verdict; shares are of its starting equity.

    Attributes:
        agents: Agents of the entrant: itself, or its repeats.
        total_return: Return over the season.
        return_low, return_high: Interval of the return over the compared part.
        excess_return: Return minus that of the equal-weight market.
        drawdown: Largest share lost from a high.
        p_best: Probability of being truly the best.
    """

    rank_low: int
    rank_high: int
    agent: str
    agents: tuple[str, ...]
    strategy: str
    model: str
    kind: Kind
    scripted: bool
    equity_usd: WireDecimal
    total_return: float | None
    compared_return: float | None
    return_low: float | None
    return_high: float | None
    excess_return: float | None
    drawdown: float | None
    sharpe: float | None
    p_best: float | None


class Verdict(Result):
    """The judge's newest verdict.

    Attributes:
        snapshots: Snapshots that it is of.
        words: The verdict as text.
        confidence: Level of every interval.
        detectable: True difference at the top that 4 of 5 seasons would detect.
        hold_return: Return of the equal-weight market.
        interim, look, looks: Whether it is final, and which look of how many it is.
        claims: Every "A beats B", including withdrawn ones.
        rows: Entrants, best first; figures are the judge's.
        dead, apart: Entries without a rank, and why.
        warnings: Reasons to doubt the figures.
        evaluation_id: Id of the evaluation.
    """

    evaluation_id: str
    snapshots: int
    as_of: Utc | None
    words: str
    confidence: float
    detectable: float | None
    detectables: tuple[Detectable, ...]
    hold_return: float | None
    interim: bool
    look: int
    looks: int | None
    planned: int | None
    claims: tuple[Claim, ...]
    rows: tuple[VerdictRow, ...]
    dead: tuple[DeadEntry, ...]
    apart: tuple[DeadEntry, ...]
    warnings: tuple[str, ...]
