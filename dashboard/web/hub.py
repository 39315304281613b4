"""Server-sent events: one hub per process encodes each change once for all viewers.

State events (leaderboard, verdict, prices, health, halt) hold the whole newest state; turns and
trades are in rings of the newest. A viewer takes what came after the event that it saw last, so the
hub keeps nothing per viewer, and a slow one gets the newest state instead of a backlog.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from hashlib import blake2b
from heapq import merge
from itertools import islice

from pydantic import BaseModel

from arena.errors import BrokerUnavailable
from dashboard.model import queries
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.change_cursor import NEW_MAX, ChangeCursor
from dashboard.model.hidden_prompts import without_words
from dashboard.model.results import TurnSummary
from dashboard.web.sse import encode_event, event_id_of, newest_seen, places_seen

STATE_GAP_S = 0.2
"""The least time between two events of the same state."""
SNAPSHOT_GAP_S = 0.1
"""The same if a snapshot came since: the leaderboard follows the snapshots."""
HEALTH_GAP_S = 1.0
"""The least time between two events of the state of processes: every one has new ages."""
CHANGE_GAP_S = 0.04
"""The least time between two looks for new turns and orders."""
IDLE_S = 1.0
"""Without records the state is looked at so often: ages change."""
QUIET_S = 15.0
"""A quiet stream gets a comment so often, or proxies cut it."""
RETRY_MS = 1000
RING = 500
"""Turns, and orders, that are kept for viewers that resume; a contest has up to 50 a second."""
KINDS = {"turn": "t", "trade": "o"}
"""Events of single records -> their letter in ids."""
OLDER_MAX = 4
"""Places of which the turns that are not kept were read back."""
OLDER_RECORDS_MAX = 1_000
"""Most records of a partition that are read back: of a viewer that was away for longer."""
CHUNKS_MAX = 32
"""Encoded chunks that are kept until the next event; viewers that are up to date share one."""
QUIET_COMMENT = b": nothing new\n\n"


class Hub:
    """The changes of one arena, encoded for every viewer.

    Attributes:
        viewers: Number of open streams.
    """

    def __init__(self, reader: ArenaReader, *, hide_prompts: bool = False) -> None:
        """Take the reader; `run` sends while there are viewers.

        Args:
            reader: Reads the arena.
            hide_prompts: Leave out the words of models.
        """
        self._reader = reader
        self._hide_prompts = hide_prompts
        self.viewers = 0
        self._viewer_came = asyncio.Event()
        self._published = asyncio.Event()
        self._closed = False
        self._cursor: ChangeCursor | None = None
        self._sequence = 0
        self._states: dict[str, tuple[int, bytes, bytes]] = {}
        self._rings: dict[str, deque[tuple[int, bytes, str, int]]] = {
            name: deque(maxlen=RING) for name in ("turn", "trade")
        }
        self._places: dict[str, int] = {}
        self._older: dict[tuple[object, ...], bytes] = {}
        self._reading = asyncio.Lock()
        self._run = blake2b(reader.run.name.encode(), digest_size=4).hexdigest()
        self._chunks: dict[int, bytes] = {}
        self._states_at_s = self._health_at_s = float("-inf")
        self._snapshot_offset = -1

    async def run(self) -> None:
        """Look for changes while there are viewers, until cancelled."""
        clock, dirty = self._reader.clock, True
        while True:
            if not self.viewers:
                self._viewer_came.clear()
                await self._viewer_came.wait()
            left_s = self._states_due_s() - clock.monotonic()
            with contextlib.suppress(TimeoutError):
                async with clock.timeout(max(0.0, left_s) if dirty else IDLE_S):
                    await self._reader.next_change()
            dirty = not await self.publish()
            await clock.sleep(CHANGE_GAP_S)

    async def publish(self) -> bool:
        """Encode what changed; return True if the state was looked at, too."""
        if not self._reader.caught_up:
            return False
        before = self._sequence
        self._publish_changes(await self._changes())
        due = self._reader.clock.monotonic() >= self._states_due_s()
        if due:
            self._publish_states()
        if self._sequence != before:
            self._chunks.clear()
            self._published.set()
            self._published = asyncio.Event()
        return due

    def _states_due_s(self) -> float:
        """Monotonic seconds at which the state is looked at again, if it has changed."""
        is_new = self._reader.view.market.newest_offset != self._snapshot_offset
        return self._states_at_s + (SNAPSHOT_GAP_S if is_new else STATE_GAP_S)

    async def _changes(self) -> ChangeCursor:
        if self._cursor is None:
            partitions = await self._reader.turn_partitions()
            self._cursor = self._cursor or ChangeCursor(
                partitions, RING
            )  # another call may be faster
        return self._cursor

    def _publish_changes(self, cursor: ChangeCursor) -> None:
        view = self._reader.view
        turns = cursor.new_turns(view)
        if self._hide_prompts:
            turns = tuple(without_words(one) for one in turns)
        for turn in turns:
            self._add("turn", turn, *turn.place)
        for trade, place in cursor.new_trades(view):
            self._add("trade", trade, *place)
        self._set_state("halt", queries.halts(view, self._reader.now()))
        self._set_state("verdict", queries.verdict(view))

    def _publish_states(self) -> None:
        reader = self._reader
        self._states_at_s = reader.clock.monotonic()
        self._snapshot_offset = reader.view.market.newest_offset
        moment = reader.moment(max_age_s=0.0)
        view, frame, run = reader.view, moment.frame, reader.run
        board = queries.leaderboard(view, frame, run=run.name, ended=run.ended)
        self._set_state("leaderboard", board)
        self._set_state("prices", queries.prices(view, frame))
        if self._states_at_s >= self._health_at_s + HEALTH_GAP_S:
            self._health_at_s = self._states_at_s
            self._set_state("health", queries.health(frame, reader.read_status()))

    def _set_state(self, name: str, result: BaseModel | None) -> None:
        body = b"null" if result is None else result.__pydantic_serializer__.to_json(result)
        known = self._states.get(name)
        if known is None or known[2] != body:
            self._sequence += 1
            self._states[name] = (self._sequence, self._encode(name, body), body)

    def _add(self, name: str, result: BaseModel, partition: int, offset: int) -> None:
        self._sequence += 1
        place = f"{KINDS[name]}{partition}"
        self._places[place] = offset
        body = result.__pydantic_serializer__.to_json(result)
        self._rings[name].append((self._sequence, self._encode(name, body), place, offset))

    def _encode(self, name: str, body: bytes) -> bytes:
        event_id = event_id_of(self._reader.boot, self._sequence, self._run, self._places)
        return encode_event(name, body, event_id)

    def since(self, seen: int) -> bytes:
        """The encoded events after a number, oldest first; encoded once for all viewers.

        Args:
            seen: Number of the event that the viewer saw last; 0 for none.
        """
        if seen not in self._chunks:
            if len(self._chunks) >= CHUNKS_MAX:
                self._chunks.clear()
            self._chunks[seen] = self._joined(seen, {})
        return self._chunks[seen]

    async def _from_start(self, last_event_id: str) -> bytes:
        """The first chunk of a viewer that saw nothing of this process.

        The newest state comes whole; of turns and orders, what the viewer did not get from an
        earlier process.
        """
        newest: dict[str, int] = {}
        if self._cursor is not None:
            newest = {f"t{at}": offset for at, offset in self._cursor.turns.items()}
            newest |= {f"o{at}": offset for at, offset in self._cursor.orders.items()}
        places = places_seen(last_event_id, self._run, newest)
        if not places:
            return self.since(0)
        older = b""
        with contextlib.suppress(BrokerUnavailable):
            older = await self._older_turns(places)
        return older + self._joined(0, places)

    async def _older_turns(self, places: Mapping[str, int]) -> bytes:
        """The turns between a viewer's places and the oldest ones that are kept, encoded.

        They are read once for all viewers that were cut at the same place.

        Raises:
            BrokerUnavailable: The records did not come in time.
        """
        async with self._reading:
            while (key := (*sorted(places.items()), *self._gaps(places))) not in self._older:
                columns = []
                for partition, first, end in self._gaps(places):
                    read = self._reader.history.turns_between
                    turns = await read(partition, first, end)
                    columns.append(
                        [one for one in turns if not self._reader.view.is_shadow(one.agent)]
                    )
                while len(self._older) >= OLDER_MAX:
                    del self._older[next(iter(self._older))]
                self._older[key] = self._encoded_older(places, columns)
            return self._older[key]

    def _gaps(self, places: Mapping[str, int]) -> list[tuple[int, int, int]]:
        """Partition, first offset and end of the records that a viewer needs and no ring has."""
        if self._cursor is None:
            return []
        ends = {partition: newest + 1 for partition, newest in self._cursor.turns.items()}
        for _, _, place, offset in self._rings["turn"]:
            ends[int(place[1:])] = min(offset, ends[int(place[1:])])
        found = []
        for partition, end in sorted(ends.items()):
            first = max(places.get(f"t{partition}", -1) + 1, end - OLDER_RECORDS_MAX)
            if first < end:
                found.append((partition, first, end))
        return found

    def _encoded_older(
        self, places: Mapping[str, int], columns: Iterable[Iterable[TurnSummary]]
    ) -> bytes:
        known, found = dict(places), []
        for turn in merge(*columns, key=lambda one: one.ended_at):
            shown = without_words(turn) if self._hide_prompts else turn
            known[f"t{turn.place[0]}"] = turn.place[1]
            body = shown.__pydantic_serializer__.to_json(shown)
            event_id = event_id_of(self._reader.boot, 0, self._run, known)
            found.append(encode_event("turn", body, event_id))
        return b"".join(found)

    def _joined(self, seen: int, places: Mapping[str, int]) -> bytes:
        found = [(number, text) for number, text, _ in self._states.values() if number > seen]
        for ring in self._rings.values():
            first = 0 if seen or places else max(0, len(ring) - NEW_MAX)
            for number, text, place, offset in islice(ring, first, None):
                if number > seen and offset > places.get(place, -1):
                    found.append((number, text))
        return b"".join(text for _, text in sorted(found))

    async def stream(self, last_event_id: str) -> AsyncGenerator[bytes, None]:
        """The bytes of one viewer's stream, from the newest state on.

        Args:
            last_event_id: Id of the event that the viewer saw last; "" for none.
        """
        self.viewers += 1
        self._viewer_came.set()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            await self.publish()
            seen = newest_seen(last_event_id, self._reader.boot, self._sequence)
            while not self._closed:
                published = self._published
                if seen < self._sequence:
                    chunk = self.since(seen) if seen else await self._from_start(last_event_id)
                    seen = self._sequence
                    yield chunk
                    continue
                try:
                    async with self._reader.clock.timeout(QUIET_S):
                        await published.wait()
                except TimeoutError:
                    yield QUIET_COMMENT
        finally:
            self.viewers -= 1

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._published.set()
