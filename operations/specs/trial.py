"""The contest that tries a text against the one in force, from an arena's specification. Pure.

Three arms, each with its own repeats: the champion's text, the challenger's, and the champion's
once more with other seeds. The market is a replay, so all see the same snapshots; accounts start
with the same cash; limits of risk, costs, products and the chat node are those of the arena.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from arena.errors import UsageError
from arena.messages.trials import TRIAL_ARMS
from operations.specs.market import MarketTable
from operations.specs.tables import AgentTable, ChatNodeTable

Tables = dict[str, Any]  # Any: any TOML value

KEPT: Final = ("arena", "features", "rules", "risk", "plugins")
"""Tables that a trial has from the arena."""
REPLAYED: Final = ("seed", "prices", "start", "end", "granularity", "fills", "context")
"""Keys of [market] that a trial has from the arena."""
STRATEGY_FILES: Final = {"champion": "champion.toml", "challenger": "challenger.toml"}
"""Arm -> file of its strategy; the copy plays the champion's."""
SEEDS_APART: Final = 1_000


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What a trial tries.

    Attributes:
        agent: The agent as the arena's specification has it.
        node: Its chat node.
        snapshots: Length of the trial.
        repeats: Agents per arm.
        prices: Candle files to replay; () for those of the arena, or synthetic prices.
    """

    agent: AgentTable
    node: ChatNodeTable
    snapshots: int
    repeats: int
    prices: tuple[Path, ...] = ()


def arms_of(repeats: int) -> dict[str, tuple[str, ...]]:
    """Arm -> names of its agents."""
    return {arm: tuple(f"{arm}-{n}" for n in range(1, repeats + 1)) for arm in TRIAL_ARMS}


def seed_of(arm: str, repeat: int) -> int:
    """The seed of an agent: the challenger has the champion's seeds, and the copy others."""
    return repeat + (SEEDS_APART if arm == "copy" else 0)


def trial_tables(base: Mapping[str, Any], plan: TrialPlan, market: MarketTable) -> Tables:
    """The tables of the trial's specification, for `to_toml`.

    Args:
        base: The tables of the arena's specification.
        plan: What is tried.
        market: The arena's market.

    Raises:
        UsageError: The arena's market cannot be replayed.
    """
    tables: Tables = {name: base[name] for name in KEPT if name in base}
    arena = dict(tables.get("arena", {}))
    tables["arena"] = {**arena, "name": f"{arena.get('name', 'arena')}-trial"}
    tables["market"] = _replayed(base.get("market", {}), plan, market)
    node = plan.node.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    tables["chat_nodes"] = [node]
    tables["agents"] = _agents(plan)
    tables["competition"] = {
        "snapshots": plan.snapshots,
        "pacing": "lock-step",
        "baselines": [],
        "judge": False,
    }
    tables["ledger"] = {"enabled": False}
    tables["web"] = {"enabled": False}
    return tables


def _replayed(base: Mapping[str, Any], plan: TrialPlan, market: MarketTable) -> Tables:
    if plan.prices:
        fills = {"fills": base["fills"]} if "fills" in base else {}
        return {"source": "replay", "prices": [str(path) for path in plan.prices], **fills}
    if market.is_live:
        raise UsageError(
            "a live market cannot be replayed",
            remedy="give candle files of its products: --prices FOLDER",
        )
    kept = {key: base[key] for key in REPLAYED if key in base}
    return {"source": "replay", **kept}


def _agents(plan: TrialPlan) -> list[Tables]:
    own = plan.agent.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    found = []
    for number, (arm, names) in enumerate(arms_of(plan.repeats).items()):
        for repeat, name in enumerate(names, 1):
            file = STRATEGY_FILES.get(arm, STRATEGY_FILES["champion"])
            seed = seed_of(arm, repeat)
            fields = {"name": name, "strategy": file, "seed": seed, "process": f"trial-{number}"}
            found.append({**own, **fields})
    return found


def strategy_fields(strategy: Mapping[str, Any], prompt: str) -> Tables:
    """The fields of a strategy's file with another prompt.

    Args:
        strategy: The fields of the strategy by name.
        prompt: The prompt.
    """
    dropped = {"prompt", "source", "source_sha256", "kind"}
    kept = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in strategy.items()
        if name not in dropped and value not in (None, (), "", {})
    }
    return {**kept, "prompt": prompt}
