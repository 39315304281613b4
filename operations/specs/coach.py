"""The table [coach] of an ARENA.toml: what the judge may do about prompts, and its flags. Pure.

[coach]
auto = false          # true: it approves and confirms its own proposals
cooldown = "1h"       # market time between two changes of an agent's text
expires = "4h"        # an unconfirmed version gives way to its parent after this
scale_risk = "2h"     # halve limits of exposure for this long after a drawdown; absent: never
risk_factor = 0.5
"""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from arena.durations import parse_duration
from arena.money import decimal_text
from operations.specs.tables import SpecTable


def _duration(text: str) -> str:
    parse_duration(text)
    return text


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
    """

    auto: bool = False
    cooldown: Duration = "1h"
    expires: Duration = "4h"
    scale_risk: Duration | None = None
    risk_factor: Decimal = Field(default=Decimal("0.5"), gt=0, le=1)


def coach_flags(coach: CoachTable | None) -> list[str]:
    """The flags of `arena judge`; none without a coach."""
    if coach is None:
        return []
    flags = ["--coach", "auto" if coach.auto else "propose"]
    flags += ["--coach-cooldown", coach.cooldown, "--coach-expires", coach.expires]
    if coach.scale_risk is not None:
        flags += ["--coach-scale-risk", coach.scale_risk]
        flags += ["--coach-risk-factor", decimal_text(coach.risk_factor)]
    return flags
