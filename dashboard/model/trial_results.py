"""Trials of an agent's texts as results. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from arena.messages import TrialInterval, TrialStarted
from arena.money import to_digits
from arena.prompt_trials import PromptTrial
from arena.prompt_versions import AgentPrompts
from arena.trial_words import progress_text, result_text, trial_of_pending, trial_text
from dashboard.model.calls import Spending
from dashboard.model.results import DifferenceResult, ShadowResult, TrialResult
from dashboard.model.view import ArenaView

TRIALS_SHOWN = 10
"""Newest trials of an answer."""
PERCENT_DIGITS = 4
UNSETTLED = 2
"""Decisions that do not count yet: on the newest snapshot, and on the one that ends the last
period that counts."""


def trial_results(view: ArenaView, own: AgentPrompts) -> tuple[TrialResult, ...]:
    """The newest trials of an agent's texts, the newest first."""
    return tuple(_trial(view, one) for one in reversed(own.trials[-TRIALS_SHOWN:]))


def waiting_trial(view: ArenaView, own: AgentPrompts) -> str:
    """The trial of the pending proposal in words; "" without one."""
    found = trial_of_pending(own)
    return "" if found is None else trial_text(found, _played(view, found))


def _trial(view: ArenaView, one: PromptTrial) -> TrialResult:
    started, ended = one.started, one.ended
    message = one.newest
    played = _played(view, one)
    return TrialResult(
        trial_id=one.trial_id,
        market=one.market,
        state="ended" if ended else "running",
        verdict=ended.verdict if ended else None,
        champion=message.champion,
        challenger=message.challenger,
        snapshots=one.snapshots,
        played=played,
        repeats=one.repeats,
        quality=_difference(ended.quality) if ended else None,
        noise_quality=_difference(ended.noise_quality) if ended else None,
        return_pct=_difference(ended.return_pct) if ended else None,
        noise_return_pct=_difference(ended.noise_return_pct) if ended else None,
        detectable_pct=ended.detectable_pct if ended else None,
        words=result_text(ended) if ended else progress_text(played, one.snapshots or 0),
        run=ended.run if ended else "",
        by=started.by if started else message.by,
        started_at=started.at if started else None,
        ended_at=ended.at if ended else None,
        shadows=tuple(_shadows(view, started)) if started and not ended else (),
    )


def _played(view: ArenaView, one: PromptTrial) -> int:
    """Snapshots that every arm has decided on, by the decisions in the newest records.

    The trial itself counts them one by one (`arena prompts list`); this is at most that.
    """
    if one.ended is not None:
        return one.ended.periods
    if one.started is None:
        return 0
    arms = one.started.arms.values()
    least = min(max(_decisions(view, name) for name in names) for names in arms)
    return min(max(least - UNSETTLED, 0), one.started.snapshots)


def _decisions(view: ArenaView, agent: str) -> int:
    turns = view.turns.agents.get(agent)
    return turns.decided if turns else 0


def _difference(found: TrialInterval | None) -> DifferenceResult | None:
    if found is None:
        return None
    return DifferenceResult(estimate=found.estimate, low=found.low, high=found.high)


def _shadows(view: ArenaView, started: TrialStarted) -> Iterator[ShadowResult]:
    for arm, names in started.arms.items():
        for name in names:
            spent = view.calls.agents.get(name, Spending())
            yield ShadowResult(
                agent=name,
                arm=arm,
                decisions=_decisions(view, name),
                return_pct=_return_pct(view, name),
                calls=spent.calls,
                cost_usd=spent.known_cost,
            )


def _return_pct(view: ArenaView, agent: str) -> Decimal | None:
    """Change of the equity of the main account, in percent, at the newest bids."""
    for shard in view.accounts.shards.values():
        if (account := shard.accounts.get(agent)) is not None and account.opening:
            gain = account.equity(view.market.bids) - account.opening
            return to_digits(Decimal(gain) / account.opening * 100, PERCENT_DIGITS)
    return None
