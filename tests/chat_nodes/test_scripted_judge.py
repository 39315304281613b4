"""The scripted judge answers the judge's questions, and nothing else."""

from datetime import timedelta

import orjson

from arena import topics
from arena.messages import ChatMessage, ChatRequest
from chat_nodes.model import ModelSettings, RawReply
from chat_nodes.scripted.judge import judge_answer
from chat_nodes.scripted.model import ScriptedModel
from tests.chat_nodes.example_requests import START

QUESTIONS = "Questions\n1. figures_shown: ?\n   yes: a\n2. uses_hindsight: ?\n3. tomorrow: ?\n"
SHOWN = "# The turn\n\n## Strategy\nBuy low.\n\n## Market at 09:00\nBTC-USD,67210.5\n\n"
DONE = "## What the agent did\nwords: BTC-USD at {price} {rest}\n"


def asking(user: str, number: int = 1) -> ChatRequest:
    """A request of the judge."""
    return ChatRequest(
        asker="judge",
        call_id=f"call-{number}",
        messages=(
            ChatMessage(role="system", content=QUESTIONS),
            ChatMessage(role="user", content=user),
        ),
        issued_at=START,
        deadline_at=START + timedelta(seconds=60),
        reply_to=topics.JUDGE_INBOX.name,
    )


def answers(price: str, rest: str, number: int = 1) -> dict[str, tuple[bool, str]]:
    """The scripted judge's answers by question."""
    user = SHOWN + DONE.format(price=price, rest=rest)
    found = orjson.loads(judge_answer(asking(user, number)))["answers"]
    return {one["question"]: (one["yes"], one["quote"]) for one in found}


def test_it_answers_the_questions_that_it_knows() -> None:
    """An unknown question gets no answer, as from a model that skips one."""
    found = answers("67,210", "holds: waiting")

    assert ["figures_shown", "uses_hindsight"] == list(found)
    assert (True, False) == (found["figures_shown"][0], found["uses_hindsight"][0])


def test_it_sees_a_figure_that_was_not_shown_and_hindsight() -> None:
    """With a quote of the words."""
    found = answers("69210.5", "and an hour later it was higher")

    assert (False, True) == (found["figures_shown"][0], found["uses_hindsight"][0])
    assert "69210.5" in found["figures_shown"][1]


def test_it_misquotes_now_and_then() -> None:
    """As models do: a calibration sees it, and two judgements of a turn can differ."""
    quotes = [answers("67210.5", "holds", n)["figures_shown"][1] for n in range(400)]
    wrong = [
        quote for quote in quotes if quote not in SHOWN + DONE.format(price="67210.5", rest="holds")
    ]

    assert 1 <= len(wrong) <= 40
    assert quotes[7] == answers("67210.5", "holds", 7)["figures_shown"][1]


def test_it_prefers_the_better_of_two_answers_and_else_the_first() -> None:
    """Two equal answers are told apart by their place, which both orders reveal."""
    good, bad = "words: BTC-USD at 67210.5 rises", "words: as it turned out, BTC-USD rose"
    side = "### Strategy\nBuy low.\n\n### What the agent did\n"
    template = "# Two answers to the same market\n\n{shown}\n## First\n{a}\n\n## Second\n{b}\n"

    def better(a: str, b: str) -> str:
        text = judge_answer(asking(template.format(shown=SHOWN[12:], a=side + a, b=side + b)))
        return str(orjson.loads(text)["better"])

    assert ("first", "second", "first") == (
        better(good, bad),
        better(bad, good),
        better(good, good),
    )


async def test_scripted_model_judges_if_the_judge_asks() -> None:
    """Whatever strategy its id names; the reply is that of any model."""
    model = ScriptedModel(ModelSettings(model_id="scripted:momentum"))
    reply = await model.complete(asking(SHOWN + DONE.format(price="1", rest="")), timeout_s=1)

    assert isinstance(reply, RawReply)
    content = orjson.loads(reply.body)["choices"][0]["message"]["content"]
    assert orjson.loads(content)["answers"]
