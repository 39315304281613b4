"""Pending proposals for prompts, which a person approves or rejects. Pure."""

from collections.abc import Iterator
from itertools import islice

from arena.trial_words import trial_of_pending, trial_text
from dashboard.alerts.found import Alert
from dashboard.alerts.texts import plain, plain_name
from dashboard.model.view import ArenaView

PROPOSAL = "proposal"
PROPOSALS_MAX = 200
REASON_CHARS = 200
RESULT_CHARS = 300


def find_proposals(view: ArenaView) -> Iterator[Alert]:
    """One alert per agent with a pending proposal, and another one when its trial has a result."""
    agents = sorted(view.coaching.prompts.agents.items())
    waiting = ((name, own) for name, own in agents if own.pending is not None)
    for name, own in islice(waiting, PROPOSALS_MAX):
        one, trial = own.pending, trial_of_pending(own)
        assert one is not None, "only those are listed"
        subject, agent = f"{PROPOSAL}:{name}", plain_name(name)
        why = f": {plain(one.reason, REASON_CHARS)}" if one.reason else ""
        key, found = f"{subject}@{one.version}@{one.offset}", ""
        if trial is not None and trial.ended is not None:
            key += f"@{trial.trial_id}"
            found = f"; {plain(trial_text(trial), RESULT_CHARS)}"
        text = (
            f"prompt {one.short} of {agent} by {one.author} is pending{why}{found};"
            f" see `arena prompts diff {agent}`, then approve or reject it"
        )
        yield Alert(PROPOSAL, subject, key, text)


def proposal_ended(view: ArenaView, agent: str) -> str | None:
    """The sentence about a proposal that was decided about; None while one is pending."""
    own = view.coaching.prompts.agents.get(agent)
    if own is None or own.pending is not None:
        return None
    return f"the proposal for the prompt of {plain_name(agent)} was decided about"
