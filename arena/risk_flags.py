"""The command line options for limits of risk, and the setting that they make.

`--risk` names a preset, or a JSON file of limits by name. Every limit also has an option of its own
name, such as `--max-daily-loss-pct 5`; help shows the most common ones.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from arena.bounded_files import read_text_file
from arena.error_causes import error_message
from arena.errors import UsageError
from arena.ids import check_name
from arena.output import print_note
from arena.risk_limit_values import SHARE_IS, SHARE_NAME, limit_names, share_note
from arena.risk_limits import PRESETS, RiskLimits
from arena.risk_settings import RiskValues, merged_values, setting_values

FLAG: Final = "--risk"
SHARE: Final = SHARE_NAME.lower()
SHOWN: Final = {
    "max_symbol_exposure_pct": "Largest position in one product, in percent of equity.",
    "max_portfolio_exposure_pct": "Largest sum of all positions, in percent of equity.",
    "max_position_risk_pct": "Most that a position may lose at its stop, in percent of equity.",
    "max_daily_loss_pct": "Largest loss of a UTC day in percent; then only sells are allowed.",
}
"""Limits whose options help shows, with their help."""

RiskFlag = Annotated[
    str | None,
    typer.Option(
        FLAG,
        "--risk-config",
        metavar="PRESET|FILE",
        help=f"Limits of every account: {', '.join(PRESETS)}, or a JSON file of limits.",
        show_default=False,
    ),
]
ShareFlag = Annotated[
    str | None,
    typer.Option(
        envvar=SHARE_NAME,
        help="Largest position in one product as a share of equity: 0.10 is 10 %.",
        hidden=True,
        show_default=False,
    ),
]
"""The variable of older settings, which counts if no limits are given otherwise."""
AgentRiskFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--agent-risk",
        metavar="AGENT=PRESET|FILE",
        help="Limits of one agent; repeatable.",
        show_default=False,
    ),
]

# Any: the parameters of a command.
Command = Callable[..., Any]


def with_risk_flags(command: Command, *, reads_share: bool = True) -> Command:
    """Give a command the options for limits; its `risk_values` takes the setting that they make.

    Args:
        command: A command with a parameter `risk_values`.
        reads_share: Take `MAX_POSITION_SIZE_PCT` of the environment if no limit is given.
    """
    own = signature(command).parameters.values()
    hidden = {name: name not in SHOWN for name in limit_names()}
    added = [Parameter("risk", Parameter.KEYWORD_ONLY, default=None, annotation=RiskFlag)]
    if reads_share:
        added.append(Parameter(SHARE, Parameter.KEYWORD_ONLY, default=None, annotation=ShareFlag))
    added += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_option(name, hide))
        for name, hide in hidden.items()
    ]
    kept = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in own if one.name != "risk_values"]

    @wraps(command)
    def with_values(*given: Any, **values: Any) -> Any:  # Any: as above
        risk = values.pop("risk", None)
        limits = {name: values.pop(name, None) for name in hidden}
        share = values.pop(SHARE, None)
        if share is not None and risk is None and limits[SHARE_IS] is None:
            limits[SHARE_NAME] = share
        return command(*given, **values, risk_values=risk_of_flags(risk, limits))

    parameters = [*kept, *added]
    vars(with_values)["__signature__"] = signature(command).replace(parameters=parameters)
    with_values.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_values


with_spec_risk_flags = partial(with_risk_flags, reads_share=False)
"""For a command with an ARENA.toml, which knows whether the file has limits."""


def risk_of_flags(risk: str | None, limits: Mapping[str, str | None]) -> RiskValues:
    """The setting of the options; {} if none is given.

    Args:
        risk: The value of `--risk`.
        limits: Limit -> the value of its own option.

    Raises:
        UsageError: A file or a limit cannot be used.
    """
    found = {} if risk is None else read_setting(risk, FLAG)
    found |= {name: value for name, value in limits.items() if value is not None}
    checked(found, "the options")
    return found


def agent_risk_of_flags(
    words: Sequence[str] | None, arena: Mapping[str, Any]
) -> dict[str, RiskLimits]:
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


def checked(values: Mapping[str, Any], where: str) -> RiskLimits:
    """The limits of a setting; prints a line about a converted share.

    Raises:
        UsageError: A limit cannot be used.
    """
    limits = RiskLimits.from_json(values, where)
    if note := share_note(values):
        print_note(note)
    return limits


def _option(name: str, hide: bool) -> object:
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=SHOWN.get(name, f"The limit {name}."),
        hidden=hide,
        show_default=False,
    )
    return Annotated[str | None, option]
