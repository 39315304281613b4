"""Renders what an agent's owner said in its prompt: preferences and feedback. Pure.

    ## From your owner
    prefers: risk=low style=conservative
    - "Take profits earlier."

Each word of the owner is on one line and in quotes, so it cannot look like another section. The
rules of the arena stay above it: they are in the system message.
"""

from collections.abc import Sequence

from arena.messages import Feedback, OwnerWords
from arena.visible_text import one_line
from routers.prompt_sizes import PromptForm

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
