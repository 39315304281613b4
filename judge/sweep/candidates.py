"""The candidates of a sweep: each entrant of a contest at each point of a grid. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.bus.base import Record
from arena.errors import UsageError
from judge.entrants import compared_field
from judge.season import SeasonBuilder
from judge.season.types import FloatArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entrant at one point.

    Attributes:
        point: Number of the point in its grid.
        name: Name of the entrant.
        is_baseline: True if it does not compete.
        log_returns: Log return in each period, [T].
    """

    point: int
    name: str
    is_baseline: bool
    log_returns: FloatArray


def candidates_of(point: int, records: Iterable[Record]) -> list[Candidate]:
    """The candidates of one point, from the records of its contest.

    Repeats of a cell are one entrant, whose return is their mean.

    Args:
        point: Number of the point.
        records: The records of roster, snapshots, accounts, turns and model calls.

    Raises:
        UsageError: No entrant played.
    """
    builder = SeasonBuilder("lock-step")
    for record in records:
        builder.apply(record)
    field = compared_field(builder.season())
    season = field.season
    if not field.entrants:
        why = "; ".join(f"{dead.agent}: {dead.cause}" for dead in season.dead)
        raise UsageError(f"no agent played{': ' if why else ''}{why}", remedy="read its log")
    returns = season.log_returns()
    return [
        Candidate(
            point,
            entrant.name,
            all(season.entries[place].kind == "baseline" for place in entrant.places),
            np.asarray(returns[:, list(entrant.places)].mean(axis=1)),
        )
        for entrant in field.entrants
    ]


def matrix_of(candidates: Sequence[Candidate]) -> FloatArray:
    """The returns as columns, [T, N].

    Raises:
        UsageError: The points have seasons of different lengths.
    """
    lengths = sorted({candidate.log_returns.size for candidate in candidates})
    if len(lengths) != 1:
        raise UsageError(
            f"the points have {lengths[0]:,} to {lengths[-1]:,} periods and cannot be compared",
            remedy="set only values that keep the snapshots",
        )
    return np.column_stack([candidate.log_returns for candidate in candidates])
