"""Turns without what the prompt's author wants to keep: prompts, conversations, reasoning. Pure."""

from dashboard.model.results import RoundResult, TurnDetail, TurnPage, TurnSummary


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


def _without_texts(one: RoundResult) -> RoundResult:
    calls = tuple(call.model_copy(update={"arguments": "", "result": ""}) for call in one.calls)
    return one.model_copy(update={"text": "", "reasoning": "", "error": "", "calls": calls})
