"""The trials of an agent's texts: a part of the fold of `prompts`. Pure.

At most one trial with shadow agents runs per agent. A trial ends once; the first result counts. A
trial changes no text: a proposal that it found better still needs an approval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from arena.messages import TrialEnded, TrialMarket, TrialStarted

TRIALS_MAX = 100
"""Most trials that are kept per agent; the oldest are forgotten."""
CLOCK_MARGIN = timedelta(minutes=10)
"""How far the clock of the process that began a trial may be ahead of the broker's."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PromptTrial:
    """One trial.

    Attributes:
        started: How it began; None for a lock-step contest, of which only the result is known.
        ended: Its result; None while it runs.
        offset: Offset in `prompts` of its first record.
    """

    trial_id: str
    started: TrialStarted | None
    ended: TrialEnded | None
    offset: int

    @property
    def is_running(self) -> bool:
        """True if it has not ended, so its shadow agents trade, or will after a restart."""
        return self.ended is None

    @property
    def newest(self) -> TrialStarted | TrialEnded:
        """Its newest record."""
        message = self.ended or self.started
        assert message is not None, "a trial has a first record"
        return message

    @property
    def challenger(self) -> str:
        """Version of the text that is tried."""
        return self.newest.challenger

    @property
    def market(self) -> TrialMarket:
        """Where it runs; only shadow agents have a start that is recorded."""
        return "live" if self.ended is None else self.ended.market

    @property
    def snapshots(self) -> int | None:
        """Length that was asked for; None for a lock-step contest."""
        return None if self.started is None else self.started.snapshots

    @property
    def repeats(self) -> int:
        """Agents per arm."""
        return self.newest.repeats


def first_record_ms(started: TrialStarted) -> int:
    """The broker's time, in milliseconds, from which a trial's records must be read."""
    at = max(started.at, EPOCH + CLOCK_MARGIN)  # A record may have any time.
    return int((at - CLOCK_MARGIN).timestamp() * 1_000)


def running_trial(trials: Sequence[PromptTrial]) -> PromptTrial | None:
    """The trial that runs; None without one."""
    return next((one for one in reversed(trials) if one.is_running), None)


def newest_result(trials: Sequence[PromptTrial], challenger: str) -> TrialEnded | None:
    """The newest result about a text; None without one."""
    found = (one.ended for one in reversed(trials) if one.ended is not None)
    return next((one for one in found if one.challenger == challenger), None)


def result_since(
    trials: Sequence[PromptTrial], champion: str, challenger: str, offset: int
) -> TrialEnded | None:
    """The newest result about one text against another, of a trial that began after an offset.

    Args:
        trials: The trials of an agent, oldest first.
        champion: Version of the text that was in force.
        challenger: Version of the text that was tried.
        offset: Offset in `prompts`, such as that of the proposal.
    """
    found = (one.ended for one in reversed(trials) if one.offset > offset and one.ended is not None)
    return next((e for e in found if (e.champion, e.challenger) == (champion, challenger)), None)


def apply_trial(trials: list[PromptTrial], message: TrialStarted | TrialEnded, offset: int) -> str:
    """Fold a record of a trial into an agent's trials, which are changed.

    Returns:
        Why it changed nothing; "" if it counts.
    """
    known = next((one for one in trials if one.trial_id == message.trial_id), None)
    if isinstance(message, TrialStarted):
        if known is not None:
            return "the trial is known"
        if (other := running_trial(trials)) is not None:
            return f"trial {other.trial_id} is running"
        trials.append(PromptTrial(message.trial_id, message, None, offset))
    elif known is None:
        if message.market == "live":
            return "the trial never began"
        trials.append(PromptTrial(message.trial_id, None, message, offset))
    elif known.ended is not None:
        return "the trial has ended"
    elif _tried(message) != _tried(known.started):
        return "it names other texts than the trial, or another kind of market"
    else:
        number = trials.index(known)
        trials[number] = PromptTrial(known.trial_id, known.started, message, known.offset)
    _forget_old(trials)
    return ""


def _tried(message: TrialStarted | TrialEnded | None) -> tuple[str, ...]:
    """What a record is about; shadow agents play in the running arena alone."""
    if message is None:
        return ()
    market = "live" if isinstance(message, TrialStarted) else message.market
    return message.champion, message.challenger, market


def _forget_old(trials: list[PromptTrial]) -> None:
    """Forget the oldest trials beyond `TRIALS_MAX`, but none that is running."""
    while len(trials) > TRIALS_MAX:
        trials.remove(next(one for one in trials if not one.is_running))
