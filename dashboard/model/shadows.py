"""The shadow agents of trials: which play now, and what their models cost. Pure."""

from itertools import islice

from arena.prompt_trials import running_trial
from dashboard.model.calls import Spending
from dashboard.model.results import ShadowCosts
from dashboard.model.view import ArenaView

PLAYING_MAX = 60
"""Most shadow agents of running trials that have a row."""


def playing_shadows(view: ArenaView) -> list[str]:
    """The shadow agents of the trials that run, by agent and arm."""
    books = sorted(view.coaching.prompts.agents.items())
    trials = (running_trial(own.trials) for _, own in books)
    names = (name for one in trials if one and one.started for name in one.started.names)
    return list(islice((name for name in names if view.is_shadow(name)), PLAYING_MAX))


def shadow_spending(view: ArenaView) -> Spending:
    """The sums over the model calls of all shadow agents."""
    found = Spending()
    for name, one in view.calls.agents.items():
        if view.is_shadow(name):
            found.calls += one.calls
            found.tokens += one.tokens
            found.cost_usd += one.cost_usd
            found.unpriced += one.unpriced
            found.errors += one.errors
    return found


def shadow_costs(view: ArenaView) -> ShadowCosts:
    """What the models of shadow agents cost."""
    spent = shadow_spending(view)
    return ShadowCosts(
        calls=spent.calls,
        errors=spent.errors,
        tokens=spent.tokens,
        cost_usd=spent.known_cost,
        calls_of_unknown_price=spent.unpriced,
    )
