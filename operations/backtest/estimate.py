"""What a run will ask of its models, and what that will cost, before anything is asked. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from pydantic import JsonValue

from arena.messages import Gates
from arena.model_prices import Price
from arena.money import decimal_text
from arena.plural import counted

REPLY_TOKENS = 250
"""Assumed for each answer: a call with its arguments, or a short text."""
RESULT_TOKENS = 150
"""Assumed for the tools' results that a further call repeats."""
HOUR_S, DAY_S = 3_600, 86_400
COLUMNS = (
    ("model", False),
    ("agents", True),
    ("decisions", True),
    ("calls", True),
    ("tokens in", True),
    ("tokens out", True),
    ("cost", True),
)


@dataclass(frozen=True, slots=True)
class Season:
    """The length of a run.

    Attributes:
        snapshots: Its snapshots.
        interval_s: Market time between two of them.
    """

    snapshots: int
    interval_s: float


@dataclass(frozen=True, slots=True)
class AskedAgent:
    """An agent whose model is asked.

    Attributes:
        agent: Its name.
        node: Its chat node.
        model: The model's id.
        price: The model's price; None if unknown.
        cadence: Every how many snapshots it is asked.
        gates: What holds it back.
        prompts: Estimated tokens of the requests that begin its first decision.
        reply_max: Most tokens of one answer; None for no limit.
    """

    agent: str
    node: str
    model: str
    price: Price | None
    cadence: int
    gates: Gates | None
    prompts: tuple[int, ...]
    reply_max: int | None = None


@dataclass(frozen=True, slots=True)
class _Tokens:
    prompt: int
    completion: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What one model, or all of them, are asked.

    Attributes:
        agents: Number of agents.
        decisions, calls, tokens_in, tokens_out: Numbers for the whole run.
        cost_usd: Its cost; None if a price is unknown.
    """

    agents: int = 0
    decisions: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal | None = Decimal(0)

    def plus(self, other: "Asked") -> "Asked":
        """The sum of two."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return Asked(
            self.agents + other.agents,
            self.decisions + other.decisions,
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            (self.cost_usd or 0) + (other.cost_usd or Decimal(0)) if known else None,
        )

    def document(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {
            "agents": self.agents,
            "decisions": self.decisions,
            "calls": self.calls,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": None if self.cost_usd is None else decimal_text(self.cost_usd),
        }

    def cells(self, name: str) -> tuple[str, ...]:
        """As a row of the table."""
        cost = "unknown" if self.cost_usd is None else f"${self.cost_usd:.2f}"
        counts = (self.agents, self.decisions, self.calls, self.tokens_in, self.tokens_out)
        return (name, *(f"{count:,}" for count in counts), cost)


def decisions_of(season: Season, cadence: int, gates: Gates | None) -> int:
    """The most decisions that the cadence, `every` and `decisions_max` allow."""
    every = 1
    if gates is not None and gates.every_s is not None:
        every = ceil(gates.every_s / season.interval_s)
    found = ceil(season.snapshots / max(cadence, every))
    if gates is not None and gates.decisions_max is not None:
        found = min(found, gates.decisions_max)
    return found


def asked_of(agent: AskedAgent, season: Season) -> Asked:
    """What one agent's model is asked.

    A decision begins with the requests of its first one; one more call ends it, which repeats the
    last request, its answer and the tools' results.
    """
    each = len(agent.prompts) + 1
    decisions = decisions_of(season, agent.cadence, agent.gates)
    calls = min([decisions * each, *_caps(agent.gates, season)])
    decisions = min(decisions, ceil(calls / each))
    reply = min(REPLY_TOKENS, agent.reply_max or REPLY_TOKENS)
    prompts = (*agent.prompts, max(agent.prompts) + reply + RESULT_TOKENS)
    tokens_in, tokens_out = calls * sum(prompts) // each, calls * reply
    price = agent.price
    cost = None if price is None else price.cost_usd(_Tokens(tokens_in, tokens_out))
    return Asked(1, decisions, calls, tokens_in, tokens_out, cost)


def _caps(gates: Gates | None, season: Season) -> list[int]:
    """The most calls that the caps allow in a whole run."""
    if gates is None:
        return []
    span_s = season.snapshots * season.interval_s
    caps = ((gates.calls_per_hour_max, HOUR_S), (gates.calls_per_day_max, DAY_S))
    return [most * ceil(span_s / window_s) for most, window_s in caps if most is not None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of a run.

    Attributes:
        models: Name of the chat node and id of its model -> what it is asked.
        remarks: What is assumed, and what is left out.
        budget_usd: What the models may cost; None for no limit.
    """

    models: Mapping[tuple[str, str], Asked]
    remarks: tuple[str, ...]
    budget_usd: Decimal | None = None

    @property
    def total(self) -> Asked:
        """The sum over the models."""
        total = Asked()
        for asked in self.models.values():
            total = total.plus(asked)
        return total

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table: a model each, and the sum."""
        rows = [
            asked.cells(model if node == model else f"{model} ({node})")
            for (node, model), asked in self.models.items()
        ]
        return [*rows, self.total.cells("all")]

    def document(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {
            "dry_run": True,
            "models": [
                {"node": node, "model": model, **asked.document()}
                for (node, model), asked in self.models.items()
            ],
            **self.total.document(),
            "models_without_price": [
                model for (_, model), asked in self.models.items() if asked.cost_usd is None
            ],
            "llm_budget_usd": None if self.budget_usd is None else decimal_text(self.budget_usd),
            "remarks": [*self.remarks],
        }


def estimate_of(
    agents: Sequence[AskedAgent],
    season: Season,
    *,
    budget_usd: Decimal | None = None,
    further: Sequence[str] = (),
) -> Estimate:
    """Estimate what the models of a run are asked.

    Args:
        agents: The agents whose models are asked.
        season: Its length.
        budget_usd: What the models may cost; None for no limit.
        further: What else to say.
    """
    models: dict[tuple[str, str], Asked] = defaultdict(Asked)
    for agent in agents:
        key = (agent.node, agent.model)
        models[key] = models[key].plus(asked_of(agent, season))
    found = Estimate(dict(models), (), budget_usd)
    remarks = (*_remarks(agents, season), *_money_remarks(found), *further)
    return Estimate(found.models, remarks, budget_usd)


def _remarks(agents: Sequence[AskedAgent], season: Season) -> list[str]:
    if not agents:
        return ["No model is asked: rules or recorded replies answer."]
    remarks = [
        f"For {counted(season.snapshots, 'snapshot')}. Every prompt is assumed to be as long as its"
        " agent's first one; later ones also show positions and decisions.",
        f"Assumed: one more call to end a decision, {REPLY_TOKENS} tokens an answer, "
        f"{RESULT_TOKENS} tokens of tools' results. Models that reason write several times as much,"
        " and failed attempts may cost, too.",
    ]
    gates = [agent.gates for agent in agents if agent.gates is not None]
    if any(one.on_move_pct is not None for one in gates):
        remarks.append("on_move_pct makes fewer decisions: moves are not known in advance.")
    if any(one.wake_on for one in gates):
        remarks.append("wake_on may add decisions between those of every.")
    return remarks


def _money_remarks(found: Estimate) -> list[str]:
    remarks = []
    unknown = [model for (_, model), asked in found.models.items() if asked.cost_usd is None]
    if unknown:
        remarks.append(
            f"The price of {', '.join(unknown)} is not known; price_per_million gives it."
        )
    cost, budget = found.total.cost_usd, found.budget_usd
    if budget is not None and found.models:
        ends = cost is not None and cost >= budget
        words = "is reached before the end" if ends else "ends the run if it is reached"
        remarks.append(f"llm_budget_usd = {budget} {words}.")
    return remarks
