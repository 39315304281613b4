"""Names of the built-in rules (scripted models) and of the baseline strategies. Pure.

A baseline is for comparison, so no model plays it: a chat node with the built-in rules does, even
if the strategy's file names another chat node.
"""

from collections.abc import Mapping

SCRIPTED = "scripted"
"""The `model_id` of the built-in rules, also with `:<strategy>`: no key, no network, no LLM."""

RULES = (
    "momentum",
    "brainrot",
    "scalper",
    "buy_and_hold",
    "random",
    "cash",
    "metronome",
    "reckless",
)
"""Strategies that have built-in rules; `chat_nodes.scripted.strategies` has them."""

BASELINES = ("buy_and_hold", "cash", "random")
"""The shipped strategies of kind "baseline"; `routers.strategies` has them."""


def strategy_key(name: str) -> str:
    """A strategy's name in the form that identifies its rules."""
    return name.replace("-", "_")


def has_rules(strategy: str) -> bool:
    """True if there are built-in rules for a strategy of this name."""
    return strategy_key(strategy) in RULES


def plays_rules_of(model_id: str, strategy: str) -> bool:
    """True if a chat node with this model plays a strategy of this name by its own rules."""
    provider, _, follows = model_id.partition(":")
    return provider == SCRIPTED and strategy_key(follows or strategy) == strategy_key(strategy)


def baseline_trouble(strategy: str) -> str:
    """Return why a strategy cannot be a baseline; "" if it can."""
    if has_rules(strategy):
        return ""
    return f"a baseline needs built-in rules, and {strategy!r} has none"


def baseline_remedy() -> str:
    """Remedy for a strategy that cannot be a baseline."""
    return (
        f"there are rules for {', '.join(sorted(RULES))}; give the strategy one of these names, "
        'or let a model play it with kind = "agent"'
    )


def scripted_names(nodes: Mapping[str, str], strategy: str) -> list[str]:
    """Chat nodes (name -> model id) that play a strategy by its own rules, sorted."""
    return sorted(name for name, model in nodes.items() if plays_rules_of(model, strategy))
