"""Renders what an agent's owner said in its prompt: preferences and feedback. Pure.

    ## From your owner
    prefers: risk=low style=conservative
    - "Take profits earlier."

Each word of the owner is on one line and in quotes, so it cannot look like another section. The
rules of the arena stay above it: they are in the system message.
"""

from collections.abc import Collection, Sequence

from arena.messages import Feedback, MarketSnapshot, OwnerWords, PromptSize
from arena.visible_text import one_line
from routers.prompt import MarketText, render_market
from routers.prompt_sizes import PROMPT_FORMS, PromptForm

OWNER_HEADING = "## From your owner"


def owner_text(owner: OwnerWords | None, feedback: Sequence[Feedback], form: PromptForm) -> str:
    """The section about the owner's words; "" without any.

    Args:
        owner: The preferences, and the ids of the feedback.
        feedback: The feedback, oldest first.
        form: The bounds.
    """
    if owner is None:
        return ""
    wishes = {"risk": owner.risk, "style": owner.style, "experience": owner.experience}
    named = [f"{name}={value}" for name, value in wishes.items() if value is not None]
    lines = [f"prefers: {' '.join(named)}"] if named else []
    for one in feedback[: form.feedback_max]:
        said = one_line(one.text, form.feedback_chars_max).replace('"', "'")
        lines.append(f'- "{said}"')
    return "\n".join([OWNER_HEADING, *lines]) if lines else ""


def market_beside(
    owner: str,
    market: MarketText,
    snapshot: MarketSnapshot,
    size: PromptSize,
    shows: Collection[str] = (),
) -> MarketText:
    """The market beside the owner's words, which take its room if the prompt has no more.

    Args:
        owner: What the owner said; "" for nothing.
        market: `render_market(snapshot, size, shows)`.
        snapshot: The snapshot.
        size: The size of the prompt.
        shows: What else the prompt shows.
    """
    chars = len(market.heading) + len(market.body)
    most = PROMPT_FORMS[size].market_chars_max if size == "full" else chars
    room = most - len(owner) - 1
    if not owner or chars <= room:
        return market
    return render_market(snapshot, size, shows, room)
