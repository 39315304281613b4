"""Trials of a proposed text against the one in force.

Times are venue time (`as_of`) where a rule depends on them; `at` is wall time.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from arena.messages.base import Message, MessagePart, Utc, is_empty
from arena.messages.coaching import REASON_CHARS_MAX, SHA256

TRIAL_REPEATS_MAX = 20
TRIAL_SNAPSHOTS_MAX = 10_000_000
TRIAL_REASONS_MAX = 20
TRIAL_ID = r"^[0-9a-f]{12}$"

ShadowName = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$")]
Sentence = Annotated[str, Field(max_length=REASON_CHARS_MAX)]
TrialArmName = Literal["champion", "challenger", "copy"]
"""The text in force, the proposed text, and the text in force once more with other seeds."""
TrialMarket = Literal["live", "replay"]
"""Where it ran: as shadow agents in the running arena, or in a lock-step contest of its own."""
TrialVerdict = Literal["promote", "keep", "undecided"]
TRIAL_ARMS: tuple[TrialArmName, ...] = get_args(TrialArmName)
"""The arms of every trial, in the order in which they are compared."""


class TrialInterval(MessagePart):
    """An estimate with the bounds of its interval."""

    estimate: float = Field(allow_inf_nan=False)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)


class TrialStarted(Message):
    """Shadow agents begin to try a text, on `prompts`, keyed by the agent.

    Attributes:
        trial_id: Unique id; the names of its shadow agents begin with "shadow-<trial_id>-".
        agent: The agent whose text is tried; it keeps trading and is not part of the trial.
        champion, challenger: Versions of the text in force and of the proposed one.
        arms: Arm -> its shadow agents, one per repeat; all begin with the same cash. A record that
            names other agents is unreadable, because they would be started and limited.
        snapshots: Length of the trial, from the first snapshot on which all shadow agents decide.
        bound_pct: Loss of return, in percent, that must be excluded for a promotion.
        as_of: Venue time of the newest snapshot that the sender knew; None without one.
    """

    trial_id: str = Field(pattern=TRIAL_ID)
    agent: str
    champion: str = Field(pattern=SHA256)
    challenger: str = Field(pattern=SHA256)
    arms: dict[TrialArmName, tuple[ShadowName, ...]]
    snapshots: int = Field(ge=1, le=TRIAL_SNAPSHOTS_MAX)
    bound_pct: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    by: str = Field(min_length=1, max_length=300)
    as_of: Utc | None = None
    at: Utc

    @model_validator(mode="after")
    def _check_arms(self) -> Self:
        """Every arm has the same number of shadow agents of this trial, each named once."""
        counts = {len(names) for names in self.arms.values()}
        if len(self.arms) != 3 or len(counts) != 1 or not 1 <= min(counts) <= TRIAL_REPEATS_MAX:
            raise ValueError(f"three arms of 1 to {TRIAL_REPEATS_MAX} agents each are needed")
        prefix = f"shadow-{self.trial_id}-"
        if not all(name.startswith(prefix) for name in self.names):
            raise ValueError(f"names of its shadow agents begin with {prefix}")
        if len(set(self.names)) != len(self.names):
            raise ValueError("a shadow agent is in two arms")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The shadow agents of all arms."""
        return tuple(name for names in self.arms.values() for name in names)

    @property
    def repeats(self) -> int:
        """Shadow agents per arm."""
        return len(self.names) // len(self.arms)


class TrialEnded(Message):
    """What a trial found, on `prompts`, keyed by the agent; it changes no text.

    Attributes:
        market: "live" for shadow agents, "replay" for a lock-step contest of its own, which has no
            `TrialStarted`.
        reasons: Why, one sentence each.
        periods: Compared periods between snapshots.
        repeats: Agents per arm.
        return_pct: Challenger's return less the champion's over the trial, in percent.
        quality: Challenger's mean decision quality less the champion's, in points.
        noise_return_pct, noise_quality: The same of the copy.
        detectable_pct: Difference of returns that 4 of 5 such trials would have found.
        run: Run of the contest; "" for shadow agents.
    """

    trial_id: str = Field(pattern=TRIAL_ID)
    agent: str
    champion: str = Field(pattern=SHA256)
    challenger: str = Field(pattern=SHA256)
    market: TrialMarket
    verdict: TrialVerdict
    reasons: tuple[Sentence, ...] = Field(max_length=TRIAL_REASONS_MAX)
    periods: int = Field(ge=0, le=TRIAL_SNAPSHOTS_MAX)
    repeats: int = Field(ge=1, le=TRIAL_REPEATS_MAX)
    return_pct: TrialInterval | None = None
    quality: TrialInterval | None = None
    noise_return_pct: TrialInterval | None = None
    noise_quality: TrialInterval | None = None
    detectable_pct: float | None = Field(default=None, allow_inf_nan=False)
    run: str = Field(default="", max_length=REASON_CHARS_MAX, exclude_if=is_empty)
    by: str = Field(min_length=1, max_length=300)
    as_of: Utc | None = None
    at: Utc
