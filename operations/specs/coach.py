"""The table [coach] of an ARENA.toml: what the judge may do about prompts, and its flags. Pure.

[coach]
auto = false          # true: it approves and confirms its own proposals
cooldown = "1h"       # market time between two changes of an agent's text
expires = "4h"        # an unconfirmed version gives way to its parent after this
scale_risk = "2h"     # halve limits of exposure for this long after a drawdown; absent: never
risk_factor = 0.5
trials = false        # true: shadow agents try each proposal first
trial_snapshots = 120 # length of such a trial
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from arena.durations import parse_duration
from arena.money import decimal_text
from operations.specs.errors import SpecFault
from operations.specs.tables import SpecTable

if TYPE_CHECKING:
    from operations.specs.competition import CompetitionTable


def _duration(text: str) -> str:
    parse_duration(text)
    return text


TRIAL_SNAPSHOTS_MIN = 60
"""Fewer periods give no result (`judge.prompts.trial_result`)."""
Duration = Annotated[str, AfterValidator(_duration)]


class CoachTable(SpecTable):
    """The coach; a file without the table has none.

    Attributes:
        auto: It approves and confirms its own proposals.
        cooldown: Market time between two changes of an agent's text.
        expires: Market time after which an unconfirmed version gives way to its parent, and a
            proposal that waits for approval is withdrawn.
        scale_risk: How long limits of exposure are scaled after a drawdown or an emergency.
        risk_factor: What they are multiplied by.
        trials: Shadow agents try each proposal before it is approved by the coach itself.
        trial_snapshots: Length of such a trial.
    """

    auto: bool = False
    cooldown: Duration = "1h"
    expires: Duration = "4h"
    scale_risk: Duration | None = None
    risk_factor: Decimal = Field(default=Decimal("0.5"), gt=0, le=1)
    trials: bool = False
    trial_snapshots: int = Field(default=120, ge=TRIAL_SNAPSHOTS_MIN, le=10_000)


def check_coach(table: CoachTable | None, contest: "CompetitionTable | None") -> None:
    """Require that agents can be added to the market if the coach has trials.

    Raises:
        SpecFault: The contest is in lock-step.
    """
    if table is not None and table.trials and contest is not None and contest.lock_step:
        what = "the market of a contest in lock-step waits for its agents, so trials cannot add any"
        raise SpecFault(("coach", "trials"), f"{what}; remove it")


def waits_for_judge(contest: "CompetitionTable | None", *tables: object) -> bool:
    """True if the next snapshot waits for the judge.

    Args:
        contest: The contest, which must be in lock-step; None without one.
        tables: `[judge]` and `[coach]`, one of which must exist.
    """
    return contest is not None and contest.lock_step and any(one is not None for one in tables)


def coach_flags(coach: CoachTable | None) -> list[str]:
    """The flags of `arena judge`; none without a coach."""
    if coach is None:
        return []
    flags = ["--coach", "auto" if coach.auto else "propose"]
    flags += ["--coach-cooldown", coach.cooldown, "--coach-expires", coach.expires]
    if coach.scale_risk is not None:
        flags += ["--coach-scale-risk", coach.scale_risk]
        flags += ["--coach-risk-factor", decimal_text(coach.risk_factor)]
    if coach.trials:
        flags += ["--coach-trials"]
    return flags


def trials_command(coach: CoachTable | None) -> list[str]:
    """The command of the process that tries proposals; an empty list without trials."""
    if coach is None or not coach.trials:
        return []
    return ["prompts", "trial", "--watch", "--snapshots", str(coach.trial_snapshots)]
