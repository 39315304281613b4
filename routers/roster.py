"""Follows `arena.roster`: agents, offered tools, and the trading rules.

One reader per process, however many agents it runs. Reads `arena.roster`, writes nothing.
"""

from collections.abc import Iterable
from datetime import timedelta

from arena import topics
from arena.agent_health import UNKNOWN_TOOL_WORDS
from arena.bus.base import LogReader, Record
from arena.errors import DependencyMissing, UsageError
from arena.kill_switch import AGENT_KEY
from arena.messages import AgentSpec, Pacing, Rules, ToolOffered
from arena.node import Node
from arena.prefix import prefix_text

TOOL_KEY = "tool/"
RULES_KEY = "rules"
WAIT_LOG_INTERVAL_S = 3.0
READ_TIMEOUT_S = 1.0
IDLE_READ_S = 10.0
GRACE_S = 3.0
"""How long a tool may be missing while others are offered, before it counts as unknown."""
OLD_OFFERS_GRACE_S = 15.0
FRESH_OFFER = timedelta(minutes=1)
"""Offers up to this much older than the process count as fresh."""


class Roster:
    """The newest tools, rules and agents of the arena.

    Attributes:
        agents: Agent -> its newest spec.
        offers: Tool name -> its newest offer.
        rules: The newest rules, or None before the first.
        version: Grows with every change of offers and rules.
    """

    def __init__(self, node: Node) -> None:
        """Start empty; `catch_up` and `open` read the topic over the node's bus."""
        self.agents: dict[str, AgentSpec] = {}
        self.offers: dict[str, ToolOffered] = {}
        self.rules: Rules | None = None
        self.version = 0
        self._node = node
        self._offered_s = 0.0
        self._rules_gone = False
        self._reader: LogReader | None = None

    async def catch_up(self) -> None:
        """Read the roster up to now."""
        if self._reader is None:
            self._reader = await self._node.bus.log_reader(topics.ROSTER.name)
        while await self._reader.lag():
            await self._read(READ_TIMEOUT_S)

    async def open(
        self, tools: Iterable[str], deadline_s: float, *, pacing: Pacing = "real-time"
    ) -> None:
        """Read the roster up to now, and wait until it offers all of these tools.

        If one of them trades, the rules must be known too, because prompts state the trading costs.

        Args:
            tools: Names of the tools that must be offered.
            deadline_s: How long to wait for them.
            pacing: In lock-step, wait for rules of that pacing.

        Raises:
            DependencyMissing: A tool was not offered by the deadline.
            UsageError: Tools are offered, but one of these is not among them.
        """
        await self.catch_up()
        assert self._reader is not None, "the roster is not open"
        clock = self._node.clock
        wanted = set(tools)
        began_s = said_s = clock.monotonic()
        while await self._reader.lag() or self._missing(wanted, pacing):
            await self._read(READ_TIMEOUT_S)
            now_s = clock.monotonic()
            missing = self._missing(wanted, pacing)
            self._require_known(wanted, now_s - max(began_s, self._offered_s))
            if now_s - began_s > deadline_s:
                raise DependencyMissing(
                    f"no tools process offered {missing or 'anything new'} in {deadline_s:g} s"
                    f" ({prefix_text(self._node.settings.prefix)})",
                    remedy=self._remedy(wanted),
                )
            if missing and now_s - said_s >= WAIT_LOG_INTERVAL_S:
                said_s = now_s
                left_s = round(deadline_s - (now_s - began_s))
                text = f"waiting for {missing}: is `arena tools` running?"
                self._node.log.warning(text, seconds_left=left_s)

    def _require_known(self, tools: set[str], quiet_s: float) -> None:
        """Refuse tools that no running tools process offers.

        Args:
            tools: Names of the tools that must be offered.
            quiet_s: Seconds since the newest offer. Offers that are older than this process may
                come from a tools process that has ended; its successor gets more time.
        """
        unknown = sorted(tools - self.offers.keys())
        if not unknown or not self.offers:
            return
        newest = max(offer.at for offer in self.offers.values())
        fresh = newest >= self._node.started_at - FRESH_OFFER
        if quiet_s >= (GRACE_S if fresh else OLD_OFFERS_GRACE_S):
            raise UsageError(
                f"{UNKNOWN_TOOL_WORDS} {', '.join(unknown)}, which a strategy names; offered are "
                f"{', '.join(sorted(self.offers))}",
                remedy="take the tool out of the strategy, or add it to the catalogue",
            )

    def _missing(self, tools: set[str], pacing: Pacing) -> str:
        """Describe what the roster lacks; "" if nothing is missing."""
        missing = sorted(tools - self.offers.keys())
        trades = any(self.offers[tool].touches_account for tool in tools & self.offers.keys())
        if pacing == "lock-step" and (self.rules is None or self.rules.pacing != pacing):
            missing.append("rules with pacing lock-step")
        elif trades and self.rules is None and not self._rules_gone:
            missing.append("rules (an executor states them once it owns a shard)")
        return ", ".join(missing)

    def _remedy(self, tools: set[str]) -> str:
        if tools - self.offers.keys():
            return "start one with `arena tools`, or take the tool out of the strategy"
        if self.rules is None:
            return "start `arena tools`; `arena status` shows whether one owns the accounts"
        return "start `arena tools --pacing lock-step`"

    async def follow(self) -> None:
        """Follow changes until cancelled."""
        while True:
            await self._read(IDLE_READ_S)

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()

    async def _read(self, timeout_s: float) -> None:
        assert self._reader is not None, "the roster is not open"
        for record in await self._reader.read(timeout_s=timeout_s):
            await self._take(record)

    async def _take(self, record: Record) -> None:
        if record.key_text == RULES_KEY:
            await self._take_rules(record)
            return
        if record.value is None:
            if self.offers.pop(record.key_text.removeprefix(TOOL_KEY), None) is not None:
                self.version += 1
            self.agents.pop(record.key_text.removeprefix(AGENT_KEY), None)
            return
        message = await self._node.read_message(record)
        if isinstance(message, AgentSpec):
            self.agents[message.agent] = message
        elif isinstance(message, ToolOffered):
            self.offers[message.name] = message
            self._offered_s = self._node.clock.monotonic()
            self.version += 1

    async def _take_rules(self, record: Record) -> None:
        """Store the newest rules; unreadable rules must not keep an agent from starting."""
        message = None if record.value is None else await self._node.read_message(record)
        if isinstance(message, Rules):
            self.rules = message
            self.version += 1
        elif self.rules is None and not self._rules_gone:
            self._rules_gone = True
            text = "the rules on the roster cannot be read: prompts do not state what a trade costs"
            self._node.log.warning(text, remedy="start `arena tools` again: it states its rules")
