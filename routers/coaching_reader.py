"""Reads the versions of prompts and the owners' words for the agents of one process.

Reads `prompts`, `agent.feedback` and `arena.control` to their ends, once per snapshot for all
agents of the process: a change counts from the next snapshot on. Writes the text of an agent's file
to `prompts` if it is new.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import aclosing
from datetime import datetime

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record
from arena.errors import BrokerUnavailable
from arena.messages import PromptProposed, TurnStarted
from arena.node import Node
from arena.owner_words import OwnerBook, preferences_key
from arena.prompt_versions import PromptBook, version_of
from arena.read_topic import read_to_ends
from arena.tasks import wait_for_tasks
from arena.topics import partition_of
from routers.agent_config import AgentConfig
from routers.coached_text import (
    CoachedText,
    owner_words,
    shown_feedback,
    text_of_file,
    text_of_start,
    wakes,
)
from routers.memory import AgentHistory
from routers.prompt_sizes import PROMPT_FORMS

PROMPTS, FEEDBACK, CONTROL = topics.PROMPTS.name, topics.FEEDBACK.name, topics.CONTROL.name
Place = tuple[int, int]
"""Partition and offset of a snapshot."""
READ_S = 5.0
"""Longest time that a turn waits for the topics."""
PLACES_MAX = 16
"""Newest snapshots that the topics were read for."""


class CoachingReader:
    """What `prompts`, `agent.feedback` and `arena.control` say to agents, as far as they were read.

    Attributes:
        prompts: The versions of every agent's text.
        owner: The words of the owners.
    """

    def __init__(self, node: Node, agents: Iterable[str]) -> None:
        """Take the process, and the agents whose records are kept; the first call reads."""
        names = frozenset(agents)
        self._keys = names | {preferences_key(name) for name in names}
        self.prompts = PromptBook()
        self.owner = OwnerBook()
        self._node = node
        self._reader: LogReader | None = None
        self._counts: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self._places: deque[Place] = deque(maxlen=PLACES_MAX)
        self._ahead: asyncio.Task[None] | None = None
        self._failed = ""

    async def close(self) -> None:
        """Close the reader."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def register(self, config: AgentConfig, history: AgentHistory) -> None:
        """Write the text of an agent's file to `prompts`, unless it is there; frozen ones do not.

        Raises:
            BrokerUnavailable: The topics cannot be read to their ends.
            AppendFailed: The text could not be written.
        """
        if not config.coached:
            return
        async with self._lock:
            await self._read_to_ends()
        prompt, own = config.strategy.prompt, self.prompts.of(config.agent)
        if version_of(prompt) == own.file_version:
            return
        before = own.in_force(history.covered_as_of)
        text = PromptProposed(
            agent=config.agent,
            version=version_of(prompt),
            text=prompt,
            parent="" if before is None else before.version,
            author="file",
            by=f"router/{self._node.id}",
            reason=f"the text of strategy {config.strategy.name}",
            as_of=history.covered_as_of,
            at=self._node.clock.now(),
        )
        await self._node.bus.append(PROMPTS, text, key=config.agent)
        self._places.clear()
        # Before the first turn: it names the text, even if the topics cannot be read then.
        async with self._lock:
            await self._read_to_ends()

    async def text_for(
        self, config: AgentConfig, history: AgentHistory, place: Place, as_of: datetime
    ) -> CoachedText:
        """What an agent plays by on a snapshot.

        Args:
            config: The agent.
            history: Its history.
            place: Partition and offset of the snapshot.
            as_of: Its venue time.

        If the topics cannot be read now, what was read before counts.
        """
        prompt = config.strategy.prompt
        if not config.coached:
            return text_of_file(prompt)
        await self._wait_until_read(place)
        agent, form = config.agent, PROMPT_FORMS[config.prompt_size]
        feedback = shown_feedback(self.owner, agent, history, form)
        found = self.prompts.of(agent).in_force(as_of)
        used_to = feedback[0].offset if feedback else self._position(FEEDBACK, agent)
        return CoachedText(
            version_of(prompt) if found is None else found.version,
            prompt if found is None else found.text,
            owner_words(self.owner, agent, feedback),
            tuple(one.feedback for one in feedback),
            {PROMPTS: self._position(PROMPTS, agent), FEEDBACK: used_to},
            wakes(feedback, history.last_started),
        )

    def read_ahead(self, place: Place) -> asyncio.Task[None]:
        """Read for a snapshot that was just received, while its router does something else."""
        if self._ahead is None or self._ahead.done():
            self._ahead = asyncio.create_task(self._read_for(place))
        return self._ahead

    async def _wait_until_read(self, place: Place) -> None:
        """Wait until the topics were read for a snapshot; at most `READ_S`, and it is read on."""
        clock = self._node.clock
        until_s = clock.monotonic() + READ_S
        while place not in self._places:
            reading = self.read_ahead(place)
            await wait_for_tasks([reading], until_s - clock.monotonic(), clock)
            if reading.done():
                reading.result()
            if not reading.done() or self._failed:
                why = self._failed or f"no answer in {READ_S:g} s"
                self._node.counters["prompts_unread"] += 1
                self._node.log.warning("prompts cannot be read, those known count", error=why)
                return

    async def _read_for(self, place: Place) -> None:
        self._failed = ""
        try:
            async with self._lock:
                if place not in self._places:
                    await self._read_to_ends()
                    self._places.append(place)
        except BrokerUnavailable as error:
            self._failed = str(error)

    async def text_again(self, config: AgentConfig, started: TurnStarted) -> CoachedText:
        """What a turn plays by that is run again.

        Raises:
            BrokerUnavailable: The topics cannot be read to their ends.
        """
        prompt = config.strategy.prompt
        if not config.coached:
            return text_of_file(prompt)
        async with self._lock:
            await self._read_to_ends()
        return text_of_start(started, prompt, self.prompts, self.owner)

    async def _read_to_ends(self) -> None:
        if self._reader is None:
            names = (PROMPTS, FEEDBACK, CONTROL)
            self._counts = {name: await self._node.bus.partitions(name) for name in names}
            self._reader = await self._node.bus.log_reader(*names, start=EARLIEST)
        async with aclosing(read_to_ends(self._reader)) as batches:
            async for records in batches:  # At once: a turn may begin before the next batch.
                for record in records:
                    self._apply(record)

    def _apply(self, record: Record) -> None:
        if record.key_text not in self._keys:
            return
        if record.topic == CONTROL:
            self.owner.apply(record)
        elif self._is_in_place(record):
            if record.topic == PROMPTS:
                self._note_refused(record, self.prompts.apply(record))
            else:
                self.owner.apply(record)

    def _is_in_place(self, record: Record) -> bool:
        """True if a record is in the partition of its key: order counts within one only."""
        return record.partition == partition_of(record.key_text, self._counts[record.topic])

    def _note_refused(self, record: Record, why: str) -> None:
        if why:
            self._node.log.debug("prompt record ignored", key=record.key_text, why=why)

    def _position(self, topic: str, agent: str) -> int:
        assert self._reader is not None, "it was read"
        return self._reader.position(topic, partition_of(agent, self._counts[topic]))
