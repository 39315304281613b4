"""Which chat nodes run: a wrong one is said within seconds, a baseline is kept from a model.

Reads `arena.heartbeats`, writes nothing. A router cannot know whether its chat node will come
later, so it does not end: it warns, and says in its own heartbeat what it waits for.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from arena import topics
from arena.baselines import plays_rules_of, scripted_names
from arena.bus.base import LogReader, Record, Start
from arena.errors import Malformed, UsageError
from arena.living import CHAT_NODE, LOOK_BACK_S, WAITING_FOR, silent_after_s
from arena.messages import Heartbeat
from arena.names import closest_first, listed
from arena.node import Node
from routers.seat import Seat

POLL_S = 1.0
GRACE_S = 3.0
"""A chat node that starts at the same time, or is started again, is not missed before."""
REPEAT_S = 60.0
REPEAT_S_MAX = 600.0
SAID_MIN = 2
"""Beats in a row that say of a process which model it serves, before a baseline refuses it."""


class _Heard(NamedTuple):
    """What is known of one process: its newest beat, when it came, how often it said its model."""

    beat: Heartbeat
    heard_s: float
    said: int

    @property
    def model(self) -> str:
        return str(self.beat.details.get("model", ""))


class ChatNodes:
    """Follows the heartbeats of chat nodes for the agents of one process.

    Args:
        node: The process; gets the detail "waiting_for".
        seats: Its agents.
    """

    def __init__(self, node: Node, seats: Sequence[Seat]) -> None:
        """Nothing is read before `open`."""
        self._node = node
        self._seats = seats
        self._wanted = sorted({seat.chat_node for seat in seats})
        self._newest: dict[str, _Heard] = {}
        self._absent_since_s: dict[str, float] = {}
        self._say_at_s: dict[str, tuple[float, float]] = {}
        self._changed = asyncio.Event()
        self._reader: LogReader | None = None

    async def open(self) -> None:
        """Read the newest heartbeats."""
        since_s = (await self._node.broker_now()).timestamp() - LOOK_BACK_S
        start = Start.since(int(since_s * 1000))
        self._reader = await self._node.bus.log_reader(topics.HEARTBEATS.name, start=start)
        while await self._reader.behind():
            self._hear(await self._reader.read(timeout_s=POLL_S))
        self._look()

    async def follow(self) -> None:
        """Keep up with the heartbeats until cancelled.

        Raises:
            UsageError: A baseline's chat node serves a model.
        """
        assert self._reader is not None, "the heartbeats are not open"
        while True:
            self._hear(await self._reader.read(timeout_s=POLL_S), just_came=True)
            self._look()
            await self._node.clock.sleep(POLL_S)

    def _hear(self, records: Iterable[Record], *, just_came: bool = False) -> None:
        """Take heartbeats; the broker's clock tells how old they are."""
        clock = self._node.broker_clock
        # Without it, one that has just come is new, whatever its host's clock says.
        known = clock.is_told or not just_came
        for record in records:
            if (beat := _beat_of(record)) is not None:
                ago_s = clock.now().timestamp() - record.timestamp_ms / 1_000
                age_s = max(0.0, ago_s) if known else 0.0
                heard = _Heard(beat, self._node.clock.monotonic() - age_s, 1)
                before = self._newest.get(beat.node)
                if before is not None and before.model == heard.model:
                    heard = heard._replace(said=before.said + 1)
                self._newest[beat.node] = heard

    async def cleared(self, seat: Seat) -> None:
        """Return when the agent may play: at once, or for a baseline when its rules are there.

        Raises:
            UsageError: It is a baseline, and its chat node serves a model.
        """
        while seat.strategy.kind == "baseline" and not self._plays_rules(seat):
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()

    def absent_words(self, name: str) -> str:
        """That a chat node does not run, and which do; "" if it runs."""
        models = self._models()
        return "" if name in models else f"chat node {name} ({_running(name, models)})"

    def note(self, name: str) -> str:
        """What a turn's error says of a chat node that did not answer; "" if it runs."""
        models = self._models()
        return "" if name in models else f" No: {_running(name, models)}"

    def _look(self) -> None:
        """Judge what is known now: warn, and wake those who wait."""
        models = self._models()
        for seat in self._seats:
            if seat.strategy.kind == "baseline":
                self._plays_rules(seat)
        now_s = self._node.clock.monotonic()
        for name in self._wanted:
            if name in models:
                self._found(name)
            else:
                self._miss(name, models, now_s)
        absent = [self.absent_words(name) for name in self._wanted if name not in models]
        if absent:
            self._node.details[WAITING_FOR] = "; ".join(absent)
        else:
            self._node.details.pop(WAITING_FOR, None)
        self._changed.set()

    def _found(self, name: str) -> None:
        self._absent_since_s.pop(name, None)
        if self._say_at_s.pop(name, None) is not None:
            self._node.log.info("the chat node runs now", chat_node=name)

    def _miss(self, name: str, models: dict[str, str], now_s: float) -> None:
        since_s = self._absent_since_s.setdefault(name, now_s)
        at_s, wait_s = self._say_at_s.get(name, (since_s + GRACE_S, REPEAT_S))
        if now_s < at_s:
            return
        self._say_at_s[name] = (now_s + wait_s, min(2 * wait_s, REPEAT_S_MAX))
        self._node.log.warning(
            f"no chat node {name!r} runs; {_running(name, models)}",
            agents=listed(s.agent for s in self._seats if s.chat_node == name),
            remedy=f"start `arena chat-node --name {name}`, or correct --chat-node-name",
        )

    def _models(self) -> dict[str, str]:
        """Name -> model of the chat nodes that are alive; "" if it did not say yet."""
        self._forget_silent()
        found: dict[str, str] = {}
        for heard in self._newest.values():
            found[heard.beat.name] = heard.model or found.get(heard.beat.name, "")
        return found

    def _forget_silent(self) -> None:
        now_s = self._node.clock.monotonic()
        self._newest = {
            node: heard
            for node, heard in self._newest.items()
            if heard.beat.status != "stopping"
            and now_s - heard.heard_s <= silent_after_s(heard.beat)
        }

    def _plays_rules(self, seat: Seat) -> bool:
        """True if the seat's chat node plays its strategy by rules, False if that is not known.

        One beat among others refuses nothing: what is wrong is said again by the next.
        """
        models = self._models()
        heard = [h for h in self._newest.values() if h.beat.name == seat.chat_node and h.model]
        if any(plays_rules_of(h.model, seat.strategy.name) for h in heard):
            return True
        if all(h.said < SAID_MIN for h in heard):
            return False
        scripted = scripted_names(models, seat.strategy.name)
        start = "start `arena chat-node --name rules --model-id scripted`"
        raise UsageError(
            f"{seat.agent}: {seat.strategy.name} is a baseline, which plays by built-in rules, and "
            f"chat node {seat.chat_node} serves {models[seat.chat_node]}",
            remedy=f"name a chat node that serves the rules: {', '.join(scripted) or start}",
        )


def _running(name: str, models: Iterable[str]) -> str:
    """Which chat nodes run, the closest name first."""
    return f"running: {listed(closest_first(name, models))}"


def _beat_of(record: Record) -> Heartbeat | None:
    """The heartbeat of a chat node; None for other records, which are not decoded."""
    if record.value is None or not record.key_text.startswith(f"{CHAT_NODE}/"):
        return None
    try:
        message = record.message()
    except Malformed:
        return None
    return message if isinstance(message, Heartbeat) else None
