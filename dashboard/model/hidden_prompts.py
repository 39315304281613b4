"""Turns without what the prompt's author wants to keep: prompts, conversations, reasoning. Pure."""

from dashboard.model.results import (
    AgentCoaching,
    PromptVersionResult,
    RoundResult,
    TurnDetail,
    TurnPage,
    TurnSummary,
)


def without_words(turn: TurnSummary) -> TurnSummary:
    """A turn in a list, without the model's words."""
    return turn.model_copy(update={"words": "", "cause": ""})


def without_prompts(turn: TurnDetail) -> TurnDetail:
    """A whole turn without texts to and from the model; sizes, times and costs stay."""
    return turn.model_copy(
        update={
            "summary": without_words(turn.summary),
            "prompt": (),
            "conversation": (),
            "left_out": "",
            "memory": "",
            "rounds": tuple(_without_texts(one) for one in turn.rounds),
        }
    )


def page_without_words(page: TurnPage) -> TurnPage:
    """A page of turns, without the model's words."""
    return page.model_copy(update={"turns": tuple(without_words(one) for one in page.turns)})


def coaching_without_texts(found: AgentCoaching) -> AgentCoaching:
    """What a coach sees, without texts of prompts, what changed in them, and feedback."""
    waiting = None if found.waiting is None else _without_text(found.waiting)
    return found.model_copy(
        update={
            "prompts": tuple(_without_text(one) for one in found.prompts),
            "waiting": waiting,
            "feedback": tuple(one.model_copy(update={"text": ""}) for one in found.feedback),
            "hidden": True,
        }
    )


def _without_text(one: PromptVersionResult) -> PromptVersionResult:
    return one.model_copy(update={"text": None, "diff": ()})


def _without_texts(one: RoundResult) -> RoundResult:
    calls = tuple(call.model_copy(update={"arguments": "", "result": ""}) for call in one.calls)
    return one.model_copy(update={"text": "", "reasoning": "", "error": "", "calls": calls})
