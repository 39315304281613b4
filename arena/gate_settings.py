"""Reads the settings of an agent's gates, from strategies, ARENA.toml and flags. Pure.

    every = "25s"              least venue time between two turns
    on_move_pct = 0.5          ask only if the mid of a product moved by so many percent
    quiet_max = "30m"          but ask after so much venue time without a turn
    calls_per_hour_max = 60    most model calls in the last hour of venue time; calls_per_day_max
    decisions_max = 500        most decisions in all
    wake_on = ["fill"]         ask at the next snapshot after a fill, exit, halt, resume or feedback

"off" turns a setting of a strategy off for one agent; `quiet_max = "off"` asks only on a move.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from arena.durations import duration_text, parse_duration
from arena.messages import WAKE_CAUSES, Gates
from arena.unknown_names import listed

KEYS = (
    "every",
    "on_move_pct",
    "quiet_max",
    "calls_per_hour_max",
    "calls_per_day_max",
    "decisions_max",
    "wake_on",
)
OFF = "off"
QUIET_MAX_S = 1_800.0
"""The default of `quiet_max`, or `every` if that is longer."""
CALLS_MAX = 10_000


class GateFault(ValueError):
    """A setting that cannot be used.

    Attributes:
        key: The setting.
        text: Its value, and what to write.
    """

    def __init__(self, key: str, text: str) -> None:
        """Create the fault of a key."""
        super().__init__(f"{key} {text}")
        self.key = key
        self.text = text


def gates_of(*layers: Mapping[str, object]) -> Gates | None:
    """The gates of an agent, or None if all are off.

    Args:
        layers: Settings by key, later ones take precedence; None and "" are "not given".

    Raises:
        GateFault: A value cannot be used.
    """
    given: dict[str, object] = {}
    for layer in layers:
        own = {key: layer[key] for key in KEYS if layer.get(key) not in (None, "", (), [])}
        if own.get("on_move_pct") == OFF:  # The strategy's `quiet_max` goes with it.
            given.pop("quiet_max", None)
        given |= own
    without_quiet_max = given.get("quiet_max") == OFF
    given = {key: value for key, value in given.items() if value != OFF}
    every_s, quiet_s = _seconds(given, "every"), _seconds(given, "quiet_max")
    move = _percent(given.get("on_move_pct"))
    if quiet_s is not None and move is None:
        raise GateFault("quiet_max", f"is {given['quiet_max']!r} without on_move_pct; add it")
    if quiet_s is not None and every_s is not None and quiet_s < every_s:
        text = f"is {given['quiet_max']!r}, shorter than every = {given['every']!r}"
        raise GateFault("quiet_max", f"{text}; write a longer one")
    if move is not None and quiet_s is None and not without_quiet_max:
        quiet_s = max(QUIET_MAX_S, every_s or 0.0)
    gates = Gates(
        every_s=every_s,
        on_move_pct=move,
        quiet_max_s=quiet_s,
        calls_per_hour_max=_calls(given, "calls_per_hour_max"),
        calls_per_day_max=_calls(given, "calls_per_day_max"),
        decisions_max=_calls(given, "decisions_max"),
        wake_on=_causes(given.get("wake_on")),
    )
    return None if gates == Gates() else gates


def _seconds(given: Mapping[str, object], key: str) -> float | None:
    if (value := given.get(key)) is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise GateFault(key, str(error)) from None


def _percent(value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        known = isinstance(value, int | float | Decimal | str) and not isinstance(value, bool)
        percent = Decimal(str(value)) if known else Decimal("NaN")
    except InvalidOperation:
        percent = Decimal("NaN")
    if not (percent.is_finite() and Decimal("0.0001") <= percent <= 100):
        remedy = "write a percentage from 0.0001 to 100, such as 0.5"
        raise GateFault("on_move_pct", f"is {_shown(value)}; {remedy}")
    return percent


def _calls(given: Mapping[str, object], key: str) -> int | None:
    if (value := given.get(key)) is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= CALLS_MAX:
        text = f"is {_shown(value)}; write a whole number from 1 to {CALLS_MAX:,}"
        raise GateFault(key, f"{text}, or leave it out for no limit")
    return value


def _causes(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    words = value.split(",") if isinstance(value, str) else value
    known = ", ".join(WAKE_CAUSES)
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise GateFault("wake_on", f'is {value!r}; write a list such as ["fill"], of {known}')
    named = [word.strip() for word in words]
    if unknown := [word for word in named if word not in WAKE_CAUSES]:
        text = f"names {listed([repr(word) for word in unknown])}"
        raise GateFault("wake_on", f"{text}; choose from {known}")
    return tuple(str(cause) for cause in WAKE_CAUSES if cause in named)


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def gates_text(gates: Gates | None, cadence: int = 1) -> str:
    """Gates as one line of settings: `every 25s, on_move_pct 0.5, quiet_max 30m`; "off" if off."""
    parts = [f"every {cadence} snapshots"] if cadence > 1 else []
    if gates is not None:
        times = (("every", gates.every_s), ("quiet_max", gates.quiet_max_s))
        shown: dict[str, object] = {key: duration_text(s) for key, s in times if s is not None}
        for key in ("on_move_pct", "calls_per_hour_max", "calls_per_day_max", "decisions_max"):
            if (value := getattr(gates, key)) is not None:
                shown[key] = f"{value:f}" if isinstance(value, Decimal) else value
        if gates.on_move_pct is not None:
            shown.setdefault("quiet_max", OFF)
        if gates.wake_on:
            shown["wake_on"] = "+".join(gates.wake_on)
        parts += [f"{key} {shown[key]}" for key in KEYS if key in shown]
    return ", ".join(parts) or OFF
