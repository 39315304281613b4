"""Trials of texts in words: how far one is, what it found, and its differences. Pure."""

from collections.abc import Sequence
from typing import Protocol

from arena.messages import TrialEnded
from arena.plural import counted
from arena.prompt_trials import PromptTrial, running_trial
from arena.prompt_versions import AgentPrompts


class Difference(Protocol):
    """A difference between two arms with its interval, such as a `TrialInterval`."""

    @property
    def estimate(self) -> float:
        """The estimate."""

    @property
    def low(self) -> float:
        """Lower bound of the interval."""

    @property
    def high(self) -> float:
        """Upper bound of the interval."""


def figure_text(found: Difference | None, digits: int) -> str:
    """A difference with its interval: "+9.5 [+4.1, +14.9]"; "" without one."""
    if found is None:
        return ""
    ends = (found.estimate, found.low, found.high)
    parts = (f"{round(value, digits) + 0.0:+.{digits}f}" for value in ends)  # No "-0.0".
    return "{} [{}, {}]".format(*parts)


def progress_text(done: int, snapshots: int) -> str:
    """How far a trial is: "34 of 60 snapshots"."""
    return f"{done} of {counted(snapshots, 'snapshot')}"


def result_text(ended: TrialEnded) -> str:
    """What a trial found: "promote: decision quality +9.5 [+4.1, +14.9] points: clearly better"."""
    return ": ".join(filter(None, (ended.verdict, "; ".join(ended.reasons))))


def trial_text(trial: PromptTrial, done: int = 0) -> str:
    """A trial on one line.

    Args:
        trial: The trial.
        done: Snapshots that a running one has played.
    """
    if trial.ended is not None:
        return f"trial {trial.trial_id}: {result_text(trial.ended)}"
    return f"trial {trial.trial_id} is running: {progress_text(done, trial.snapshots or 0)}"


def trial_of_pending(own: AgentPrompts) -> PromptTrial | None:
    """The trial that runs of the pending proposal, or else its newest one that has ended.

    Only trials that began after the proposal count. None without one.
    """
    if own.pending is None:
        return None
    about = trials_of(own.trials, own.pending.version)
    about = [one for one in about if one.offset > own.pending.offset]
    return running_trial(about) or (about[-1] if about else None)


def trials_of(trials: Sequence[PromptTrial], version: str) -> list[PromptTrial]:
    """The trials of a text, oldest first."""
    return [one for one in trials if one.challenger == version]
