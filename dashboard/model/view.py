"""The whole arena as one read model, folded from twelve topics in any order. Pure.

Folds records of market.tickers, market.snapshots, account.events, agent.turns, llm.calls,
arena.roster, arena.control, judge.evaluations, prompts, agent.feedback, arena.heartbeats and
dead_letters. Within a partition they come in order; any interleaving of topics and partitions gives
the same view, also for a reader that starts late (`WINDOWS` and `RECENT` define from where it must
read).
"""

from arena import topics
from arena.bus.base import Record
from arena.currency import DEFAULT_CURRENCY
from arena.errors import Malformed
from arena.liveness import parse_heartbeat
from arena.messages import (
    AgentEvaluation,
    AgentSpec,
    Evaluation,
    Heartbeat,
    LlmCall,
    MarketSnapshot,
    Message,
    Rules,
    SkippedSnapshots,
    Ticker,
    Turn,
    TurnStarted,
)
from arena.shadow_agents import is_shadow
from dashboard.model.accounts_view import AccountsView
from dashboard.model.calls import CALLS_WINDOW, Calls
from dashboard.model.coaching_view import CoachingView
from dashboard.model.equity_curves import SNAPSHOTS_WINDOW, Snapshots
from dashboard.model.halts import HaltsView
from dashboard.model.market_view import MarketView
from dashboard.model.processes import GONE_AFTER_S, Processes
from dashboard.model.recent_turns import TURNS_WINDOW, RecentTurns

AGENTS_MAX = 1_000
TICKERS_BACK_S = 600
"""Seconds of tickers that a new dashboard reads; quieter products are in the snapshots."""
EVALUATIONS_WINDOW = 2_000
"""Newest records of `judge.evaluations` that are read: a day of them at the defaults."""
FEEDBACK_WINDOW = 5_000
"""Newest feedback that is read."""

RECENT = (topics.TICKERS.name, topics.HEARTBEATS.name)
RECENT_S = max(TICKERS_BACK_S, GONE_AFTER_S)
"""The topics of `RECENT` are read from this many seconds ago: older heartbeats are not shown."""

WINDOWS: dict[str, int | None] = {
    topics.EVENTS.name: None,
    topics.ROSTER.name: None,
    topics.CONTROL.name: None,
    topics.SNAPSHOTS.name: SNAPSHOTS_WINDOW,
    topics.TURNS.name: TURNS_WINDOW,
    topics.LLM_CALLS.name: CALLS_WINDOW,
    topics.EVALUATIONS.name: EVALUATIONS_WINDOW,
    topics.PROMPTS.name: None,
    topics.FEEDBACK.name: FEEDBACK_WINDOW,
    topics.DEAD_LETTERS.name: 1,
}
"""Topic -> newest records of each partition to read; None for all of them."""

CHECKPOINTED = (topics.EVENTS.name, topics.SNAPSHOTS.name, topics.TURNS.name, topics.LLM_CALLS.name)
"""The topics in a checkpoint. The others are short, or compacted: a reader that continues at an
offset would not notice keys that were removed meanwhile."""


class ArenaView:
    """The read model of the dashboard.

    Attributes:
        market: Prices and the newest snapshot.
        snapshots: Bids of the newest snapshots.
        accounts: Accounts, trades and equity curves.
        turns: The agents' newest turns.
        calls: Spending on model calls.
        processes: The newest heartbeat of each process.
        roster: Agent -> its entry in the roster, without shadow agents.
        shadow_specs: The same of the shadow agents of trials, the newest ones.
        rules: The executor's trading rules; None before they were read.
        evaluation: The judge's newest evaluation, or None.
        halts: The kill switch.
        coaching: Evaluations of agents, versions of their prompts, their owners' words.
        malformed_of: Topic -> number of unreadable records.
        malformed_newest: Topic, offset and error of the newest unreadable record.
        version: Number of records applied.
    """

    def __init__(self) -> None:
        """Create an empty view."""
        self.market = MarketView()
        self.snapshots = Snapshots()
        self.accounts = AccountsView()
        self.turns = RecentTurns()
        self.calls = Calls()
        self.processes = Processes()
        self.roster: dict[str, AgentSpec] = {}
        self.shadow_specs: dict[str, AgentSpec] = {}
        self.rules: Rules | None = None
        self.evaluation: Evaluation | None = None
        self.halts = HaltsView()
        self.coaching = CoachingView()
        self._dead_letter_ends: dict[int, int] = {}
        self.malformed_of: dict[str, int] = {}
        self.malformed_newest = ""
        self.version = 0

    @property
    def dead_letters(self) -> int:
        """Records in `dead_letters`, over all partitions."""
        return sum(self._dead_letter_ends.values())

    @property
    def malformed(self) -> int:
        """Number of unreadable records."""
        return sum(self.malformed_of.values())

    def apply(self, record: Record) -> None:
        """Fold one record; unreadable ones are counted."""
        self.version += 1
        topic, partition, offset = record.topic, record.partition, record.offset
        if topic == topics.EVENTS.name:
            self.accounts.apply(record)
            return
        if topic == topics.DEAD_LETTERS.name:
            self._dead_letter_ends[partition] = offset + 1
            return
        if topic == topics.TURNS.name:
            self.turns.advance(partition, offset)
        elif topic == topics.LLM_CALLS.name:
            self.calls.advance(partition, offset)
        if topic == topics.CONTROL.name:
            self.halts.take(record)
        if record.value is None and topic in (topics.ROSTER.name, topics.HEARTBEATS.name):
            self._forget(topic, record.key_text)
            return
        try:
            message = record.message()
        except Malformed as error:
            self.malformed_of[topic] = self.malformed_of.get(topic, 0) + 1
            self.malformed_newest = f"{topic}[{partition}]@{offset}: {error}"
            return
        if isinstance(message, Heartbeat):
            if parse_heartbeat(record) is not None:
                self.processes.beat(message, record.timestamp_ms)
            return
        if topic == topics.PROMPTS.name:
            self.coaching.prompts.apply(record)
        elif topic in (topics.FEEDBACK.name, topics.CONTROL.name):
            self.coaching.owner.apply(record)
        elif topic == topics.EVALUATIONS.name and isinstance(message, AgentEvaluation):
            self.coaching.evaluated(record, message)
        else:
            self._take(message, partition, offset)

    def _take(self, message: Message, partition: int, offset: int) -> None:
        match message:
            case Ticker():
                self.market.ticker(message)
            case MarketSnapshot():
                self.market.snapshot(offset, message)
                self.snapshots.add(offset, message)
            case Turn():
                self.turns.ended(partition, offset, message)
            case TurnStarted():
                self.turns.started(partition, offset, message)
            case SkippedSnapshots():
                self.turns.skipped(partition, offset, message)
            case LlmCall():
                self.calls.called(partition, offset, message)
            case AgentSpec():
                self._list(message)
            case Rules():
                self.rules = message
            case Evaluation():
                self.evaluation = message

    def _list(self, spec: AgentSpec) -> None:
        self.shadow_specs.pop(spec.agent, None)
        if spec.is_shadow:
            self.roster.pop(spec.agent, None)
            self.shadow_specs[spec.agent] = spec
            while len(self.shadow_specs) > AGENTS_MAX:
                del self.shadow_specs[next(iter(self.shadow_specs))]
        elif len(self.roster) < AGENTS_MAX or spec.agent in self.roster:
            self.roster[spec.agent] = spec

    def is_shadow(self, agent: str) -> bool:
        """True for a shadow agent of a trial: it is neither ranked nor counted."""
        return is_shadow(agent, self.shadow_specs.get(agent) or self.roster.get(agent))

    @property
    def agents(self) -> list[str]:
        """The agents that are listed, by name: on the roster or with turns, no shadow agents."""
        return sorted(n for n in {*self.roster, *self.turns.agents} if not self.is_shadow(n))

    @property
    def currency(self) -> str:
        """Currency of accounts, by the executor's rules."""
        return self.rules.currency if self.rules else DEFAULT_CURRENCY

    @property
    def wallets(self) -> tuple[str, ...]:
        """Further currencies of accounts, by the rules and by the accounts."""
        found = set(self.rules.wallets) if self.rules else set()
        return tuple(sorted(found | self.accounts.further_currencies))

    def _forget(self, topic: str, key: str) -> None:
        if topic == topics.HEARTBEATS.name:
            self.processes.newest.pop(key, None)
        elif key.startswith("agent/"):
            for listed in (self.roster, self.shadow_specs):
                listed.pop(key.removeprefix("agent/"), None)
