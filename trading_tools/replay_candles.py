"""The candles of recorded orders whose limits were computed from them.

Reads `market.candles` of an export as far as an order's snapshot, as the executor did.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arena import topics
from arena.bus.base import Record
from arena.exports import read_records
from arena.messages import ClosedCandle, ToolCall
from trading_tools.candle_store import CandleStore
from trading_tools.risk.candles import CandleFigures

# Any: an event of the account log as JSON.
Event = dict[str, Any]


class RecordedCandles:
    """The candles of an export, read as far as they are needed.

    Args:
        folder: The folder of the export.
        kept: True if the export has the topic.
    """

    def __init__(self, folder: Path, *, kept: bool) -> None:
        """Start before the first candle."""
        self._folder, self._kept = folder, kept
        self._store = CandleStore()
        self._records: Iterator[Record] | None = None
        self._next: dict[int, int] = {}

    def figures(self, event: Event, call: ToolCall) -> CandleFigures | None:
        """The candles with which an order was decided; None if it was decided without any."""
        if not self._kept or not call.candle_offsets or not _used_candles(event):
            return None
        if self._records is None:
            self._records = iter(read_records(self._folder, [topics.CANDLES.name]))
        while any(self._next.get(p, 0) < end for p, end in call.candle_offsets.items()):
            record = next(self._records, None)
            if record is None:
                break
            self._next[record.partition] = record.offset + 1
            message = record.message_or_none()
            if isinstance(message, ClosedCandle):
                self._store.add(record.partition, record.offset, message)
        return CandleFigures(self._store.view(call.candle_offsets), call.candle_offsets)


def _used_candles(event: Event) -> bool:
    risk = event.get("risk") or {}
    return "value_at_risk" in risk or any(
        check["limit"] == "max_price_jump_pct" and check["state"] != "unknown"
        for check in risk.get("checks", ())
    )
