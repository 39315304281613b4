"""A recorded system message: the strategy's own text, and the rules that all agents get. Pure."""

RULES_BEGIN = "\n\nHow this arena works\n"
"""Separates the two; `routers.prompt` writes it."""


def split_system(system: str) -> tuple[str, str]:
    """Return the strategy's own text, and the rules; "" for the rules if there are none.

    The last separator counts, because a strategy's text may have the same words.
    """
    own, separator, rules = system.rpartition(RULES_BEGIN)
    return (own, rules) if separator else (system, "")
