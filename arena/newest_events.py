"""The newest order events of a shard, stored as the bytes of the log. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, overload

import orjson

# Any: an event is decoded JSON in the form of `arena.messages.account`.
Event = dict[str, Any]

EVENTS_REMEMBERED = 512
"""Number of events that are kept, to answer commands again after a restart."""


class NewestEvents(Sequence[Event]):
    """The newest order events, oldest first; stored as bytes and decoded on access."""

    def __init__(self, values: Iterable[bytes] = ()) -> None:
        """Take the first events, oldest first."""
        self._values: deque[bytes] = deque(values, maxlen=EVENTS_REMEMBERED)

    def values(self) -> list[bytes]:
        """Bytes of the events, oldest first."""
        return list(self._values)

    def append(self, value: bytes) -> None:
        """Add the newest event and drop the oldest."""
        self._values.append(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewestEvents) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return [orjson.loads(value) for value in list(self._values)[index]]
        event: Event = orjson.loads(self._values[index])
        return event
