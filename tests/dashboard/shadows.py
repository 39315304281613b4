"""A tests' arena in which shadow agents try a text beside the agents, which they do not disturb."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from arena import topics
from arena.messages import (
    LlmCall,
    TrialArmName,
    TrialEnded,
    TrialInterval,
    TrialStarted,
    TurnStarted,
    Usage,
)
from arena.prompt_versions import version_of
from tests.dashboard.coaching import CAREFUL, PROPOSED
from tests.dashboard.scenario import WORDS, Scenario

TRIAL = "7b0c52d1e9f4"
ARMS: tuple[TrialArmName, ...] = ("champion", "challenger", "copy")
COST_USD = Decimal("0.002")


def names_of(trial_id: str, repeats: int = 1) -> dict[TrialArmName, tuple[str, ...]]:
    """The shadow agents of each arm of a trial."""
    return {
        arm: tuple(f"shadow-{trial_id}-{arm}-{n}" for n in range(1, repeats + 1)) for arm in ARMS
    }


@dataclass
class ShadowScenario(Scenario):
    """A scenario with shadow agents; all other records are those of the same `Scenario`.

    Attributes:
        of: The agent whose text they try.
        shadows: Names of the shadow agents that play.
        shadow_calls: Orders that they have sent.
    """

    of: str = "momentum"
    shadows: list[str] = field(default_factory=list)
    shadow_calls: int = 0

    def begin_trial(self, *, listed: bool = True) -> None:
        """Let the shadow agents of a trial join, whose records are not written.

        Args:
            listed: False leaves their entries of the roster out.
        """
        for names in names_of(TRIAL).values():
            for name in names:
                with self._aside():
                    self.join(name, self.of, "shadow", shadow_of=self.of, prompts="frozen")
                if not listed:
                    self.records = [one for one in self.records if one.key_text != f"agent/{name}"]
                self.shadows.append(name)

    def step(self) -> None:
        """Write one snapshot, every agent's turn on it, and the shadow agents' turns."""
        super().step()
        self.shadow_step()

    def shadow_step(self) -> None:
        """Write the shadow agents' turns on the newest snapshot."""
        with self._aside():
            for name in self.shadows:
                started = self.begin_turn(name)
                order = self._decide(name, self.of)
                self.end_turn(started, order, self.random.choice(WORDS), scripted=False)

    def llm_call(self, started: TurnStarted, *, usage: Usage, **changes: object) -> LlmCall:
        """Write the record of a model call; those of shadow agents cost something."""
        if started.agent in self.shadows:
            usage = usage.model_copy(update={"cost_usd": COST_USD})
            changes = {"scripted": False, "model": "gpt-5-mini", **changes}
        return super().llm_call(started, usage=usage, **changes)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Decide with random numbers and ids of their own, without a new price or a later time."""
        first, tickers = len(self.records), (topics.TICKERS.name, 0)
        end = self.ends.get(tickers, 0)
        before = self.random, self.seed, self.calls, dict(self.prices), self.wall, self.venue
        self.random, self.seed = Random(len(self.records)), self.seed + 1_000
        self.calls = self.shadow_calls
        yield
        self.shadow_calls = self.calls
        self.records[first:] = [one for one in self.records[first:] if one.topic != tickers[0]]
        self.ends[tickers] = end
        self.random, self.seed, self.calls, self.prices, self.wall, self.venue = before


def trial_started(scenario: Scenario, agent: str = "momentum", **changes: object) -> TrialStarted:
    """Write that a trial of the pending proposal begins."""
    found = TrialStarted.model_validate(
        {
            "trial_id": TRIAL,
            "agent": agent,
            "champion": version_of(CAREFUL),
            "challenger": version_of(PROPOSED),
            "arms": names_of(TRIAL),
            "snapshots": 60,
            "by": "cli/host",
            "as_of": scenario.venue,
            "at": scenario.wall,
            **changes,
        }
    )
    scenario.write(topics.PROMPTS.name, found, agent)
    return found


def trial_ended(scenario: Scenario, agent: str = "momentum", **changes: object) -> TrialEnded:
    """Write the result of the trial."""
    found = TrialEnded.model_validate(
        {
            "trial_id": TRIAL,
            "agent": agent,
            "champion": version_of(CAREFUL),
            "challenger": version_of(PROPOSED),
            "market": "live",
            "verdict": "promote",
            "reasons": ("decision quality is clearly better, by more than the copy's noise",),
            "periods": 59,
            "repeats": 1,
            "return_pct": TrialInterval(estimate=0.21, low=-0.4, high=0.82),
            "quality": TrialInterval(estimate=9.5, low=4.1, high=14.9),
            "noise_return_pct": TrialInterval(estimate=0.02, low=-0.5, high=0.54),
            "noise_quality": TrialInterval(estimate=-0.7, low=-4.0, high=2.6),
            "detectable_pct": 1.4,
            "by": "cli/host",
            "as_of": scenario.venue,
            "at": scenario.wall,
            **changes,
        }
    )
    scenario.write(topics.PROMPTS.name, found, agent)
    return found


def tried(scenario: Scenario, agent: str) -> None:
    """Try a text: one trial has ended in a contest, another one runs, and its agents have begun."""
    other = {"trial_id": "0" * 12, "market": "replay", "verdict": "undecided", "repeats": 3}
    none = dict.fromkeys(("noise_quality", "return_pct", "noise_return_pct", "detectable_pct"))
    trial_ended(scenario, agent, **other, **none, reasons=("too few checks applied",))
    trial_started(scenario, agent)
    for names in names_of(TRIAL).values():
        scenario.join(names[0], agent, "shadow", shadow_of=agent)
        usage = Usage(prompt_tokens=1_800, completion_tokens=240, cost_usd=COST_USD)
        started = scenario.begin_turn(names[0])
        scenario.llm_call(started, usage=usage, scripted=False, model="gpt-5-mini")
