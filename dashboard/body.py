"""What a screen is below its header: lines, and how far the keys can go there."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from dashboard.ui import Reach


@dataclass(frozen=True, slots=True)
class Body:
    """Lines of exact width, and the reach of the keys."""

    lines: Sequence[Text]
    reach: Reach
