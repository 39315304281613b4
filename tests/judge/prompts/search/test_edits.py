"""Where the texts of a search come from."""

from judge.prompts.lint import lint
from judge.prompts.search.answer_checks import AnswerScore
from judge.prompts.search.budget import CallBudget
from judge.prompts.search.edits import (
    REFUSED_MAX,
    SHOWN_MAX,
    ReflectedEdits,
    TemplateEdits,
    failed_checks,
    reflection_prompt,
    text_of_answer,
)
from judge.prompts.templates import DECISIONS, TEMPLATES
from tests.judge.prompts.search.searches import TEXT

FAILED = [
    AnswerScore(60.0, 1, {"figures": "98.76 was not shown to it"}, "its RSI is\n98.76"),
    AnswerScore(50.0, 1, {"figures": "1.23 was not shown to it", "intent": "it says ..."}, "Buy."),
    AnswerScore(100.0, 0, {}, ""),
]


def test_templates_give_each_text_once_and_then_end() -> None:
    """The rules about failed checks first, the most frequent check first; all may be proposed."""
    edits = TemplateEdits(TEXT)
    found = []
    while (text := edits.edit(TEXT, FAILED)) is not None:
        found.append(text)
    assert edits.exhausted
    assert len(TEMPLATES) + 1 == len(set(found)) == len(found)
    assert found[0].index(DECISIONS["figures"]) < found[0].index(DECISIONS["intent"])
    assert [[]] * len(found) == [lint(text, TEXT) for text in found]
    assert {"figures": 2, "intent": 1} == dict(failed_checks(FAILED))


def test_model_is_shown_the_text_and_what_was_found() -> None:
    """The worst answers first, each on one line."""
    asked = reflection_prompt(TEXT, FAILED)
    assert f"<text>\n{TEXT}\n</text>" in asked
    assert asked.index("intent: it says ...") < asked.index("figures: 98.76 was not shown")
    assert '- It said "its RSI is 98.76", with 1 orders.' in asked
    assert "refused:" not in asked
    many = reflection_prompt(TEXT, FAILED * 20, "it names a price")
    assert SHOWN_MAX == many.count("- It said")
    assert "The last text that you wrote was refused: it names a price" in many


def test_text_is_taken_out_of_an_answer() -> None:
    """The last one counts, after the model has thought; without one there is none."""
    assert "Be calm.\n" == text_of_answer("<text>a</text> or\n<text>\nBe calm.\n</text>\n")
    for answer in ("", "Be calm.", "<text></text>", "<text> \n </text>", "<text>open"):
        assert "" == text_of_answer(answer)


def test_answer_with_much_white_space_is_read_at_once() -> None:
    """A model may answer blank lines only; reading them takes linear time."""
    assert "" == text_of_answer("<text>" + "\n" * 100_000)
    assert "a\n" == text_of_answer("<text>" + "\n" * 100_000 + "a</text>")


def test_texts_that_may_not_be_proposed_are_not_tried() -> None:
    """The next request says why; after some in a row no further one is made."""
    answers = [
        "no tags",
        f"<text>{TEXT}</text>",
        f"<text>{TEXT}Never buy.</text>",
        f"<text>{TEXT}Quote only what is shown.</text>",
        *[f"<text>{TEXT}Buy below 60000 USD.</text>"] * REFUSED_MAX,
    ]
    asked: list[str] = []

    def reflect(prompt: str) -> str:
        asked.append(prompt)
        return answers[len(asked) - 1]

    budget = CallBudget(100)
    edits = ReflectedEdits(TEXT, reflect, budget)
    found = [edits.edit(TEXT, FAILED) for _ in answers]
    tried = f"{TEXT}Quote only what is shown.\n"
    assert [None, None, None, tried, *[None] * REFUSED_MAX] == found
    assert edits.exhausted
    assert len(answers) == budget.spent
    for number, why in enumerate(
        ("has no <text>", "the text in force", "not to trade", "", "names a price", "it was tried")
    ):
        assert why in asked[number + 1]
    assert "refused:" not in asked[4]
