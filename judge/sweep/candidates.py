"""The candidates of a sweep: each entrant of a contest at each point of a grid. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
        times: SHA-256 of the times of its snapshots; "" if unknown.
    """

    point: int
    name: str
    is_baseline: bool
    log_returns: FloatArray
    times: str = ""


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
    times = hashlib.sha256(season.times.tobytes()).hexdigest()
    return [
        Candidate(
            point,
            entrant.name,
            all(season.entries[place].kind == "baseline" for place in entrant.places),
            np.asarray(returns[:, list(entrant.places)].mean(axis=1)),
            times,
        )
        for entrant in field.entrants
    ]


def joined_episodes(
    candidates: Sequence[Candidate], settings: Sequence[int], episodes: int
) -> list[Candidate]:
    """Candidates whose seasons on several markets are one season, market after market.

    Points that differ only in the market are one candidate: no candidate wins by its market.

    Args:
        candidates: Candidates of all points, in the order of the points.
        settings: Number of a point -> the first point with the same settings on another market.
        episodes: Number of markets.

    Raises:
        UsageError: An entrant did not play on every market.
    """
    parts: dict[tuple[int, str], list[Candidate]] = {}
    for one in candidates:
        parts.setdefault((settings[one.point], one.name), []).append(one)
    for (_, name), found in parts.items():
        if len(found) != episodes:
            raise UsageError(
                f"{name} played on {len(found)} of {episodes} markets",
                remedy="run the seeds one by one to see why",
            )
    return [
        replace(
            found[0],
            point=point,
            log_returns=np.concatenate([one.log_returns for one in found]),
            times=" ".join(one.times for one in found),
        )
        for (point, _), found in parts.items()
    ]


def matrix_of(candidates: Sequence[Candidate]) -> FloatArray:
    """The returns as columns, [T, N].

    Raises:
        UsageError: The points have seasons of different lengths, or at different times.
    """
    lengths = sorted({candidate.log_returns.size for candidate in candidates})
    if len(lengths) != 1:
        raise UsageError(
            f"the points have {lengths[0]:,} to {lengths[-1]:,} periods and cannot be compared",
            remedy="set only values that keep the snapshots",
        )
    if len({candidate.times for candidate in candidates}) != 1:
        raise UsageError(
            "the points have snapshots at different times and cannot be compared",
            remedy="set only values that keep the snapshots, or run one sweep per value",
        )
    return np.column_stack([candidate.log_returns for candidate in candidates])
