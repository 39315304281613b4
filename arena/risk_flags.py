"""The command line options for limits of risk, and the setting that they make.

`--risk` names a preset, or a JSON file of limits by name; single limits are added to it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from arena.bounded_files import read_text_file
from arena.error_causes import error_message
from arena.errors import UsageError
from arena.ids import check_name
from arena.output import print_note
from arena.risk_limit_values import share_note
from arena.risk_limits import PRESETS, RiskLimits
from arena.risk_settings import (
    RiskValues,
    limits_of,
    merged_values,
    named_values,
    setting_values,
)

FLAG = "--risk"
LIMIT_FLAG = "--limit"

RiskFlag = Annotated[
    str | None,
    typer.Option(
        FLAG,
        metavar="PRESET|FILE",
        help=f"Limits of every account: {', '.join(PRESETS)}, or a JSON file of limits.",
        show_default=False,
    ),
]
LimitFlag = Annotated[
    list[str] | None,
    typer.Option(
        LIMIT_FLAG,
        metavar="NAME=VALUE",
        help="One limit of every account, such as max_trades_per_day=20; repeatable.",
        show_default=False,
    ),
]
AgentRiskFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--agent-risk",
        metavar="AGENT=PRESET|FILE",
        help="Limits of one agent; repeatable.",
        show_default=False,
    ),
]
SymbolFlag = Annotated[
    str | None,
    typer.Option(
        "--max-symbol-exposure-pct",
        help="Largest position in one product, in percent of equity.",
        show_default=False,
    ),
]
PortfolioFlag = Annotated[
    str | None,
    typer.Option(
        "--max-portfolio-exposure-pct",
        help="Largest sum of all positions, in percent of equity.",
        show_default=False,
    ),
]
PositionRiskFlag = Annotated[
    str | None,
    typer.Option(
        "--max-position-risk-pct",
        help="Most that a position may lose if its stop fires, in percent of equity.",
        show_default=False,
    ),
]
DailyLossFlag = Annotated[
    str | None,
    typer.Option(
        "--max-daily-loss-pct",
        help="Largest loss of a UTC day, in percent; then an account may only sell.",
        show_default=False,
    ),
]


def risk_of_flags(
    risk: str | None,
    limits: Sequence[str] | None = None,
    *,
    symbol: str | None = None,
    portfolio: str | None = None,
    position_risk: str | None = None,
    daily_loss: str | None = None,
) -> RiskValues:
    """The setting of the options; {} if none is given.

    Raises:
        UsageError: A file or a limit cannot be used.
    """
    named = {
        "max_symbol_exposure_pct": symbol,
        "max_portfolio_exposure_pct": portfolio,
        "max_position_risk_pct": position_risk,
        "max_daily_loss_pct": daily_loss,
    }
    single = named_values(limits or (), LIMIT_FLAG)
    for name, value in named.items():
        if value is not None and name in single:
            raise UsageError(
                f"--{name.replace('_', '-')} {value} and {LIMIT_FLAG} {name}={single[name]}",
                remedy="give one of them",
            )
    found = {} if risk is None else read_setting(risk, FLAG)
    found |= {name: value for name, value in named.items() if value is not None} | single
    checked(found, FLAG)
    return found


def agent_risk_of_flags(words: Sequence[str] | None, arena: RiskValues) -> dict[str, RiskLimits]:
    """Agent -> its limits, of words such as "momentum=cautious".

    Args:
        words: The values of `--agent-risk`.
        arena: The setting that they add to.

    Raises:
        UsageError: A word, a file or a limit cannot be used.
    """
    found: dict[str, RiskLimits] = {}
    for word in words or ():
        agent, sign, setting = word.partition("=")
        if not sign or not setting or agent in found:
            raise UsageError(
                f"--agent-risk {word[:80]!r}", remedy="write each agent once, as momentum=cautious"
            )
        where = f"--agent-risk {check_name('agent', agent)}"
        found[agent] = checked(merged_values(arena, read_setting(setting, where)), where)
    return found


def read_setting(text: str, where: str) -> RiskValues:
    """The limits by name of a preset's name, a JSON file, or JSON.

    Raises:
        UsageError: It is none of them.
    """
    if text.lstrip().startswith("{") or not text.endswith(".json"):
        return setting_values(text, where)
    try:
        content = read_text_file(Path(text))
    except OSError as error:
        raise UsageError(
            f"{where}: cannot read {text}: {error.strerror}",
            remedy=f"name a file, or one of {', '.join(PRESETS)}",
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{text}: {error_message(error)}", remedy="save it as UTF-8") from None
    return setting_values(content if content.lstrip().startswith("{") else "{", text)


def checked(values: RiskValues, where: str) -> RiskLimits:
    """The limits of a setting; a converted share is told in a line.

    Raises:
        UsageError: A limit cannot be used.
    """
    limits = limits_of(values, where)
    if note := share_note(values):
        print_note(note)
    return limits
