"""The newest order events of a shard, kept as they stand in the log. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, overload

import orjson

# Any: an event kept whole is decoded JSON; its shape is `arena.messages.account`.
Event = dict[str, Any]

EVENTS_REMEMBERED = 512
"""Kept whole, to answer again after a restart."""


class NewestEvents(Sequence[Event]):
    """The newest order events, oldest first; kept as bytes and decoded when they are asked for."""

    def __init__(self, values: Iterable[bytes] = ()) -> None:
        """Begin with these, oldest first."""
        self._values: deque[bytes] = deque(values, maxlen=EVENTS_REMEMBERED)

    def values(self) -> list[bytes]:
        """Their bytes, oldest first."""
        return list(self._values)

    def append(self, value: bytes) -> None:
        """Take in the newest; the oldest goes."""
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
