"""The text that an agent plays by in one turn, and its owner's words. Pure.

A coached agent plays by the version that `arena.prompt_versions` has in force at the venue time of
its snapshot; a frozen one by its file. A turn that is run again plays by what its start says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from arena import topics
from arena.messages import AskedFor, Feedback, OwnerWords, TurnStarted
from arena.owner_words import KeptFeedback, OwnerBook
from arena.prompt_versions import PromptBook, version_of
from routers.gates import WakeCause
from routers.memory import AgentHistory
from routers.prompt_sizes import PromptForm


@dataclass(frozen=True, slots=True)
class CoachedText:
    """What an agent is told in a turn by its strategy and its owner.

    Attributes:
        version: Version of the text.
        text: The strategy's text.
        owner: The owner's words, with the ids of the feedback; None for none.
        feedback: The feedback, oldest first.
        read_to: Topic -> offset, for `TurnStarted.read_to`.
        causes: What wakes the agent: feedback that its last turn did not show.
    """

    version: str
    text: str
    owner: OwnerWords | None = None
    feedback: tuple[Feedback, ...] = ()
    read_to: Mapping[str, int] = field(default_factory=dict)
    causes: tuple[WakeCause, ...] = ()


def text_of_file(prompt: str) -> CoachedText:
    """What a frozen agent plays by: its file."""
    return CoachedText(version_of(prompt), prompt)


def owner_words(
    book: OwnerBook, agent: str, feedback: tuple[KeptFeedback, ...]
) -> OwnerWords | None:
    """The preferences of an agent's owner, and the feedback to show; None for neither."""
    wishes = book.preferences.get(agent)
    words = OwnerWords(
        risk=None if wishes is None else wishes.risk,
        style=None if wishes is None else wishes.style,
        experience=None if wishes is None else wishes.experience,
        feedback=tuple(one.feedback_id for one in feedback),
    )
    return None if words == OwnerWords() else words


def wakes(feedback: tuple[KeptFeedback, ...], last: TurnStarted | None) -> tuple[WakeCause, ...]:
    """Causes to wake an agent: the feedback to show, if its last turn did not show all of it."""
    shown = () if last is None or last.owner is None else last.owner.feedback
    return tuple(
        WakeCause(str(AskedFor.FEEDBACK), f"{topics.FEEDBACK.name}[{one.partition}]@{one.offset}")
        for one in feedback
        if one.feedback_id not in shown
    )


def shown_feedback(
    book: OwnerBook, agent: str, history: AgentHistory, form: PromptForm
) -> tuple[KeptFeedback, ...]:
    """The feedback that the agent's next prompt shows: the oldest that no turn has used."""
    waiting = book.waiting(agent, history.feedback_from, history.feedback_used)
    return waiting[: form.feedback_max]


def text_of_start(
    started: TurnStarted, prompt: str, prompts: PromptBook, owner: OwnerBook
) -> CoachedText:
    """What a turn plays by that is run again: the version and the words that its start names.

    Args:
        started: The start of the turn.
        prompt: The text of the agent's file, if the version is not known any more.
        prompts: The versions.
        owner: The words of the owners.
    """
    kept = owner.feedback.get(started.agent, {})
    named = () if started.owner is None else started.owner.feedback
    feedback = tuple(kept[one].feedback for one in named if one in kept)
    versions = prompts.of(started.agent).in_order()
    found = next((one for one in versions if one.version == started.version), None)
    if found is None:
        return CoachedText(version_of(prompt), prompt, started.owner, feedback)
    return CoachedText(found.version, found.text, started.owner, feedback)
