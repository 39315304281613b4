"""The trials of an agent's texts, as the records say: the report computes none of them. Pure."""

from dataclasses import dataclass
from datetime import datetime

from arena.messages import TrialInterval
from arena.prompt_trials import PromptTrial
from arena.prompt_versions import AgentPrompts

TRIALS_SHOWN = 20
"""Newest trials of an agent in the chapter."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two arms of a trial, with its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """One trial, with the figures that it computed itself.

    Attributes:
        state: Its verdict, or "running" at the end of the records.
        market: "live" for shadow agents, "replay" for a lock-step contest.
        snapshots: Length that was asked for; None for a lock-step contest.
        periods: Compared periods; None while it runs.
        quality, return_pct: Challenger less champion, in points and in percent; None if it
            compared none. noise_quality, noise_return_pct: The same of the copy.
        ended: Venue time of its end; None if unknown.
    """

    trial_id: str
    state: str
    market: str
    challenger: str
    champion: str
    snapshots: int | None
    periods: int | None
    repeats: int
    quality: Difference | None
    noise_quality: Difference | None
    return_pct: Difference | None
    noise_return_pct: Difference | None
    detectable_pct: float | None
    reasons: tuple[str, ...]
    run: str
    by: str
    ended: datetime | None


def shown_trials(own: AgentPrompts) -> tuple[ShownTrial, ...]:
    """Return the newest trials of an agent's texts, oldest first."""
    return tuple(_shown(one) for one in own.trials[-TRIALS_SHOWN:])


def _shown(one: PromptTrial) -> ShownTrial:
    message, ended = one.newest, one.ended
    return ShownTrial(
        trial_id=one.trial_id,
        state=ended.verdict if ended else "running",
        market=one.market,
        challenger=message.challenger,
        champion=message.champion,
        snapshots=one.snapshots,
        periods=ended.periods if ended else None,
        repeats=one.repeats,
        quality=_difference(ended.quality) if ended else None,
        noise_quality=_difference(ended.noise_quality) if ended else None,
        return_pct=_difference(ended.return_pct) if ended else None,
        noise_return_pct=_difference(ended.noise_return_pct) if ended else None,
        detectable_pct=ended.detectable_pct if ended else None,
        reasons=ended.reasons if ended else (),
        run=ended.run if ended else "",
        by=message.by,
        ended=ended.as_of if ended else None,
    )


def _difference(found: TrialInterval | None) -> Difference | None:
    return None if found is None else Difference(found.estimate, found.low, found.high)
