"""The strategy that a recorded turn was played by, from roster, versions and records. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from arena.errors import UsageError
from arena.messages import AgentSpec, Sampling, Turn
from routers.prompt import HOUSE_RULES
from routers.replay_coaching import RecordedCoaching
from routers.replay_result import TurnReplayResult
from routers.strategy import Strategy, load_shipped

RULES_BEGIN = HOUSE_RULES.partition("{")[0].strip().splitlines()[0]
"""How the rules begin in prompts of every size."""
Whose = tuple[str, str]
"""An agent and its strategy."""


class RecordedStrategies:
    """The strategies of recorded turns.

    Args:
        coaching: The versions of texts.
        sampling: Agent and strategy -> settings in its first request.
        tools: Agent and strategy -> tools in its first request.
        result: Gets a note if a text is not that of a file.
    """

    def __init__(
        self,
        coaching: RecordedCoaching,
        sampling: Mapping[Whose, Sampling],
        tools: Mapping[Whose, tuple[str, ...]],
        result: TurnReplayResult,
    ) -> None:
        """Take the records of an export."""
        self._coaching = coaching
        self._sampling = sampling
        self._tools = tools
        self._result = result
        self._kept: dict[tuple[str, str, str, int | None, str], Strategy] = {}

    def spec_from_turn(self, spec: AgentSpec, turn: Turn) -> AgentSpec:
        """The spec of an agent from before the oldest one that a compacted roster still has."""
        changes = {
            "strategy": turn.strategy,
            "node": turn.node,
            "prompt_sha256": "",
            "prompt_version": turn.prompt_version,
            "tools": self._tools.get((turn.agent, turn.strategy), spec.tools),
            "seed": None,
        }
        return spec.model_copy(update=changes)

    def strategy_of(self, spec: AgentSpec, turn: Turn) -> Strategy:
        """The strategy of a turn, with the text of the version that the turn names."""
        strategy = self._of_file(spec, turn)
        text = self._coaching.text_of(turn.version)
        if text is None or text == strategy.prompt:
            return strategy
        return replace(strategy, prompt=text)

    def _of_file(self, spec: AgentSpec, turn: Turn) -> Strategy:
        """The shipped strategy if its prompt is the one that was used, else the recorded one."""
        prompt = turn.messages[0].content.partition(f"\n\n{RULES_BEGIN}")[0] + "\n"
        kept = (spec.agent, spec.strategy, spec.prompt_sha256 or prompt, spec.seed, turn.turn_kind)
        if kept in self._kept:
            return self._kept[kept]
        try:
            strategy = load_shipped(spec.strategy)
        except UsageError:
            strategy = Strategy(spec.strategy, prompt="-")
        if strategy.prompt_sha256 != spec.prompt_sha256:
            if self._coaching.text_of(turn.version) is None:
                self._result.notes.append(
                    f"{spec.agent}: its strategy's prompt is the recorded one"
                )
            strategy = Strategy(spec.strategy, prompt, spec.tools, spec.cadence, spec.strategy_kind)
            sampling = self._sampling.get((spec.agent, spec.strategy), strategy.sampling)
            version = spec.prompt_version
            strategy = replace(strategy, prompt_version=version, sampling=sampling)
        if spec.seed is not None:
            sampling = strategy.sampling.model_copy(update={"seed": spec.seed})
            strategy = replace(strategy, sampling=sampling)
        strategy = self._kept[kept] = replace(strategy, turn_kind=turn.turn_kind)
        return strategy
