"""Pending proposals for prompts, which a person approves or rejects. Pure."""

from collections.abc import Iterator
from itertools import islice

from dashboard.alerts.found import Alert
from dashboard.alerts.texts import plain, plain_name
from dashboard.model.view import ArenaView

PROPOSAL = "proposal"
PROPOSALS_MAX = 200
REASON_CHARS = 200


def find_proposals(view: ArenaView) -> Iterator[Alert]:
    """One alert per agent with a pending proposal."""
    agents = sorted(view.coaching.prompts.agents.items())
    waiting = ((name, own.pending) for name, own in agents if own.pending is not None)
    for name, one in islice(waiting, PROPOSALS_MAX):
        subject, agent = f"{PROPOSAL}:{name}", plain_name(name)
        why = f": {plain(one.reason, REASON_CHARS)}" if one.reason else ""
        text = (
            f"prompt {one.short} of {agent} by {one.author} is pending{why};"
            f" see `arena prompts diff {agent}`, then approve or reject it"
        )
        yield Alert(PROPOSAL, subject, f"{subject}@{one.version}@{one.offset}", text)


def proposal_ended(view: ArenaView, agent: str) -> str | None:
    """The sentence about a proposal that was decided about; None while one is pending."""
    own = view.coaching.prompts.agents.get(agent)
    if own is None or own.pending is not None:
        return None
    return f"the proposal for the prompt of {plain_name(agent)} was decided about"
