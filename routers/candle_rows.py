"""Lines of candles in prompts, rendered once for the agents and snapshots that share them. Pure.

Most candles of a snapshot are those of the one before. In one process they are the same objects, so
their lines are taken over.
"""

from arena.messages import Candle, CandleWindow
from routers.prompt_text import plain_text, start_text

_Lines = list[tuple[Candle, str]]


class CandleRows:
    """The lines of one snapshot.

    Args:
        before: Those of the snapshot before it; None without one.
    """

    def __init__(self, before: "CandleRows | None" = None) -> None:
        """Start without lines."""
        self._before = {} if before is None else before._lines
        self._lines: dict[tuple[str, str], _Lines] = {}

    def of(self, product_id: str, name: str, window: CandleWindow) -> list[str]:
        """The lines of a window, oldest candle first.

        Args:
            product_id: The product.
            name: Name of the window, such as "15m".
            window: The window.
        """
        key = (product_id, name)
        lines = self._lines.get(key)
        if lines is None:
            known = {id(candle): (candle, row) for candle, row in self._before.get(key, ())}
            length_s = window.granularity_s
            lines = self._lines[key] = [
                known.get(id(candle)) or (candle, _line(candle, length_s))
                for candle in window.candles
            ]
        return [row for _, row in lines]


def _line(candle: Candle, length_s: int) -> str:
    return (
        f"{start_text(candle.start, length_s)},{plain_text(candle.open)},{plain_text(candle.high)},"
        f"{plain_text(candle.low)},{plain_text(candle.close)},{plain_text(candle.volume)}"
    )
