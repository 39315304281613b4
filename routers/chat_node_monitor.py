"""Follows the heartbeats of chat nodes: warns if one is missing, keeps baselines from models.

Reads `arena.heartbeats`, writes nothing. A router cannot know whether its chat node will start
later, so it does not end: it logs a warning, and its own heartbeat says what it is waiting for.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from arena import topics
from arena.baselines import plays_rules_of, scripted_names
from arena.bus.base import LogReader, Record, Start
from arena.errors import UsageError
from arena.liveness import CHAT_NODE, LOOK_BACK_S, WAITING_FOR, silent_after_s
from arena.messages import Heartbeat
from arena.node import Node
from arena.unknown_names import closest_first, listed
from routers.agent_config import AgentConfig

POLL_S = 1.0
GRACE_S = 3.0
"""How long a chat node may be missing before a warning: it may be starting right now."""
REPEAT_S = 60.0
REPEAT_S_MAX = 600.0
BEATS_MIN = 2
"""Consecutive heartbeats with the same model before a baseline refuses its chat node."""


class _NodeState(NamedTuple):
    """One chat node process.

    Attributes:
        beat: Its newest heartbeat.
        beat_at_s: Monotonic time of that heartbeat.
        beats: Consecutive heartbeats with the same model.
    """

    beat: Heartbeat
    beat_at_s: float
    beats: int

    @property
    def model(self) -> str:
        return str(self.beat.details.get("model", ""))


class ChatNodeMonitor:
    """Follows the heartbeats of chat nodes for the agents of one process.

    Args:
        node: The process; gets the detail "waiting_for".
        configs: Its agents.
    """

    def __init__(self, node: Node, configs: Sequence[AgentConfig]) -> None:
        """Take the process and its agents; `open` starts reading."""
        self._node = node
        self._configs = configs
        self._wanted = sorted({config.chat_node for config in configs})
        self._states: dict[str, _NodeState] = {}
        self._absent_since_s: dict[str, float] = {}
        self._warn_at_s: dict[str, tuple[float, float]] = {}
        self._changed = asyncio.Event()
        self._reader: LogReader | None = None

    async def open(self) -> None:
        """Read the newest heartbeats."""
        since_s = (await self._node.broker_now()).timestamp() - LOOK_BACK_S
        start = Start.since(int(since_s * 1000))
        self._reader = await self._node.bus.log_reader(topics.HEARTBEATS.name, start=start)
        while await self._reader.lag():
            self._take(await self._reader.read(timeout_s=POLL_S))
        self._update()

    async def follow(self) -> None:
        """Follow the heartbeats until cancelled.

        Raises:
            UsageError: A baseline's chat node serves a model.
        """
        assert self._reader is not None, "the heartbeats are not open"
        while True:
            self._take(await self._reader.read(timeout_s=POLL_S), is_new=True)
            self._update()
            await self._node.clock.sleep(POLL_S)

    def _take(self, records: Iterable[Record], *, is_new: bool = False) -> None:
        """Store heartbeats; their age is measured by the broker's clock."""
        clock = self._node.broker_clock
        # If that is unknown, a heartbeat that has just come is new, whatever its host's clock says.
        known = clock.is_known or not is_new
        for record in records:
            if (beat := _heartbeat_in(record)) is not None:
                ago_s = clock.now().timestamp() - record.timestamp_ms / 1_000
                age_s = max(0.0, ago_s) if known else 0.0
                state = _NodeState(beat, self._node.clock.monotonic() - age_s, 1)
                before = self._states.get(beat.node)
                if before is not None and before.model == state.model:
                    state = state._replace(beats=before.beats + 1)
                self._states[beat.node] = state

    async def wait_until_allowed(self, config: AgentConfig) -> None:
        """Wait until the agent may run; a baseline waits for a chat node with its rules.

        Raises:
            UsageError: The agent is a baseline, and its chat node serves a model.
        """
        while config.strategy.kind == "baseline" and not self._serves_rules(config):
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()

    def absence_text(self, name: str) -> str:
        """Say that a chat node is not running, and which ones are; "" if it is running."""
        models = self._models()
        return "" if name in models else f"chat node {name} ({_running(name, models)})"

    def error_note(self, name: str) -> str:
        """The note in a turn's error if its chat node is not running; "" if it is."""
        models = self._models()
        return "" if name in models else f" No: {_running(name, models)}"

    def _update(self) -> None:
        """Evaluate the current state: warn, and wake waiting agents."""
        models = self._models()
        for config in self._configs:
            if config.strategy.kind == "baseline":
                self._serves_rules(config)
        now_s = self._node.clock.monotonic()
        for name in self._wanted:
            if name in models:
                self._clear_warning(name)
            else:
                self._warn_missing(name, models, now_s)
        absent = [self.absence_text(name) for name in self._wanted if name not in models]
        if absent:
            self._node.details[WAITING_FOR] = "; ".join(absent)
        else:
            self._node.details.pop(WAITING_FOR, None)
        self._changed.set()

    def _clear_warning(self, name: str) -> None:
        self._absent_since_s.pop(name, None)
        if self._warn_at_s.pop(name, None) is not None:
            self._node.log.info("the chat node is running now", chat_node=name)

    def _warn_missing(self, name: str, models: dict[str, str], now_s: float) -> None:
        since_s = self._absent_since_s.setdefault(name, now_s)
        at_s, wait_s = self._warn_at_s.get(name, (since_s + GRACE_S, REPEAT_S))
        if now_s < at_s:
            return
        self._warn_at_s[name] = (now_s + wait_s, min(2 * wait_s, REPEAT_S_MAX))
        self._node.log.warning(
            f"chat node {name!r} is not running; {_running(name, models)}",
            agents=listed(s.agent for s in self._configs if s.chat_node == name),
            remedy=f"start `arena chat-node --name {name}`, or correct --chat-node-name",
        )

    def _models(self) -> dict[str, str]:
        """Name -> model of the running chat nodes; "" if the model is not known yet."""
        self._forget_silent()
        found: dict[str, str] = {}
        for state in self._states.values():
            found[state.beat.name] = state.model or found.get(state.beat.name, "")
        return found

    def _forget_silent(self) -> None:
        now_s = self._node.clock.monotonic()
        self._states = {
            node: state
            for node, state in self._states.items()
            if state.beat.status != "stopping"
            and now_s - state.beat_at_s <= silent_after_s(state.beat)
        }

    def _serves_rules(self, config: AgentConfig) -> bool:
        """True if the agent's chat node serves its strategy's rules, False if not known yet.

        A single heartbeat refuses nothing: if the chat node is wrong, the next one confirms it.

        Raises:
            UsageError: The chat node serves a model, or the rules of other strategies.
        """
        models = self._models()
        states = [s for s in self._states.values() if s.beat.name == config.chat_node and s.model]
        if any(plays_rules_of(s.model, config.strategy.name) for s in states):
            return True
        if all(s.beats < BEATS_MIN for s in states):
            return False
        scripted = scripted_names(models, config.strategy.name)
        start = "start `arena chat-node --name rules --model-id scripted`"
        raise UsageError(
            f"{config.agent}: {config.strategy.name} is a baseline, which needs built-in rules, "
            f"but chat node {config.chat_node} serves {models[config.chat_node]}",
            remedy=f"name a chat node that serves the rules: {', '.join(scripted) or start}",
        )


def _running(name: str, models: Iterable[str]) -> str:
    """List the running chat nodes, the closest name first."""
    return f"running: {listed(closest_first(name, models))}"


def _heartbeat_in(record: Record) -> Heartbeat | None:
    """The heartbeat of a chat node in a record; None for other records, which are not decoded."""
    if not record.key_text.startswith(f"{CHAT_NODE}/"):
        return None
    message = record.message_or_none()
    return message if isinstance(message, Heartbeat) else None
