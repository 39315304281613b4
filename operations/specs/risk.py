"""Limits of risk in an ARENA.toml: `[risk]`, and `risk` of an agent or of a contest's matrix. Pure.

[risk]                          # of every account
preset = "standard"
max_daily_loss_pct = 5

[[agents]]
risk = "cautious"               # a preset, or { max_symbol_exposure_pct = 20 }, added to [risk]
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BeforeValidator

from arena.errors import UsageError
from arena.risk_limit_values import LimitFault, share_note
from arena.risk_limits import RiskLimits
from arena.risk_settings import (
    RiskValues,
    merged_values,
    risk_values,
    setting_text,
)
from operations.specs.errors import Location, SpecFault


def _setting(value: object) -> RiskValues:
    try:
        values = risk_values(value)
        RiskLimits.from_json(values, "")
    except LimitFault as fault:
        location = (fault.name,) if isinstance(value, Mapping) else ()
        raise SpecFault(location, str(fault)) from None
    except UsageError as fault:
        raise SpecFault((), str(fault)) from None
    return values


Risk = Annotated[RiskValues, BeforeValidator(_setting)]
"""A preset's name, or limits by name."""


def check_agents_risk(arena: RiskValues, agents: Iterable[tuple[Location, RiskValues]]) -> None:
    """Require that agents' limits fit those of the arena that they are added to.

    Args:
        arena: `[risk]`.
        agents: Place of a setting in the file, and the setting.

    Raises:
        SpecFault: Two limits contradict each other.
    """
    for location, own in agents:
        try:
            RiskLimits.from_json(merged_values(arena, own), "")
        except UsageError as fault:
            raise SpecFault(location, str(fault)) from None


def risk_flags(arena: RiskValues, agents: Mapping[str, RiskValues]) -> list[str]:
    """The flags with which `arena tools` gets the limits.

    Args:
        arena: `[risk]`.
        agents: Agent -> its own setting.
    """
    words = ["--risk", setting_text(arena)] if arena else []
    for agent, own in agents.items():
        words += ["--agent-risk", f"{agent}={setting_text(merged_values(arena, own))}"]
    return words


def share_notes(arena: RiskValues, agents: Iterable[RiskValues | None]) -> list[str]:
    """The lines about shares of older settings that are converted, each once.

    Args:
        arena: `[risk]`.
        agents: The agents' own settings; None for an agent without one.
    """
    notes = (share_note(one) for one in (arena, *agents) if one)
    return [note for note in dict.fromkeys(notes) if note]
