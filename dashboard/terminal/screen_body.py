"""A screen below its header: lines, and the limits of the keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from dashboard.terminal.ui import KeyLimits


@dataclass(frozen=True, slots=True)
class ScreenBody:
    """Lines of exact width, and the limits of the keys."""

    lines: Sequence[Text]
    limits: KeyLimits
