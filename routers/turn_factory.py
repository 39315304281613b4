"""Creates an agent's turns: tools and rules from the roster, prompts from snapshot and history.

Reads the current roster, writes nothing.
"""

from dataclasses import replace

from arena.bus.base import Record
from routers.account_check import AccountLook, known_before
from routers.agent_config import AgentConfig
from routers.coached_text import CoachedText, text_of_file
from routers.kinds import TurnMachine, create_turn
from routers.memory import AgentHistory
from routers.prompt import left_out_text, render_system, render_user
from routers.prompt_owner import market_beside, owner_text
from routers.roster import Roster
from routers.snapshot_cache import RenderedSnapshot
from routers.turn_types import NOT_GATED, Asked, ResolvedAgent, TurnInput


class TurnFactory:
    """Creates the turns of one agent."""

    def __init__(self, config: AgentConfig, roster: Roster) -> None:
        """Take the agent's configuration and the roster to resolve it against."""
        self._config = config
        self._roster = roster
        self._resolved: ResolvedAgent | None = None
        self._system = ""
        self._roster_version = -1
        self._text = text_of_file(config.strategy.prompt)

    def resolved_agent(self, text: CoachedText | None = None) -> ResolvedAgent:
        """The agent with the tools and rules that the roster has now.

        Args:
            text: What it plays by; None for what it played by last.
        """
        roster, config = self._roster, self._config
        changed = text is not None and text.version != self._text.version
        self._text = text or self._text
        if self._resolved is None or changed or self._roster_version != roster.version:
            self._roster_version = roster.version
            strategy = replace(config.strategy, prompt=self._text.text)
            self._system = render_system(
                strategy.prompt, roster.rules, config.prompt_size, strategy.tools
            )
            self._resolved = ResolvedAgent.of(
                config.agent,
                config.chat_node,
                strategy,
                config.limits,
                roster.offers.values(),
                config.prompt_size,
            )
        return self._resolved

    def create(
        self,
        record: Record,
        rendered: RenderedSnapshot,
        skipped: int,
        history: AgentHistory,
        asked: Asked = NOT_GATED,
        look: AccountLook | None = None,
        text: CoachedText | None = None,
    ) -> TurnMachine:
        """Create the turn for a snapshot.

        Args:
            record: The record of the snapshot.
            rendered: The snapshot and its texts.
            skipped: Older snapshots that were skipped since the last turn.
            history: The agent's history.
            asked: Why the agent is asked, and how many model calls the turn may make.
            look: What the account was asked for before the turn; None for nothing.
            text: What the agent plays by; None for its file.
        """
        text = text or text_of_file(self._config.strategy.prompt)
        agent = self.resolved_agent(text)
        if asked.calls_max is not None and asked.calls_max < agent.limits.rounds:
            agent = replace(agent, limits=replace(agent.limits, rounds=asked.calls_max))
        size, lines = agent.form.size, tuple(history.lines)
        market = rendered.text(size, agent.strategy.shows)
        look = look or AccountLook(None, history.heard_seq)
        known = known_before(history.known, look.check, rendered.snapshot)
        closings = () if look.check is None else look.check.closings
        owner, shows = owner_text(text.owner, text.feedback, agent.form), agent.strategy.shows
        market = market_beside(owner, market, rendered.snapshot, size, shows)
        user = render_user(market, rendered.snapshot, known, lines, size, closings, owner)
        asked = replace(asked, read_to={**asked.read_to, **text.read_to})
        turn_input = TurnInput(
            snapshot=rendered.snapshot,
            snapshot_offset=record.offset,
            skipped=skipped,
            system=self._system,
            user=user,
            known=known,
            context=market.context,
            left_out=left_out_text(self._system, market, known, lines, size),
            asked=asked,
            checked=look.check,
            heard_seq=look.heard_seq,
            version=text.version,
            owner=text.owner,
        )
        return create_turn(agent, turn_input)
