"""The rubric: its questions can be measured, and its version follows from its text."""

import pytest

from judge.evaluations.llm.rubric import parse_rubric, shipped_rubric

QUESTION = (
    '[[questions]]\nid = "q{n}"\nask = "?"\nyes = "y"\nno = "n"\ngood = "{good}"\nfaults = []\n'
)


def text_of(count: int, *, good: str = "yes", step: int = 1) -> str:
    """A rubric of so many questions."""
    return 'name = "r"\n' + "".join(
        QUESTION.format(n=n * step, good=good) for n in range(1, count + 1)
    )


def test_every_question_has_a_fault_that_measures_it() -> None:
    """No fault belongs to two questions, and those of the contract are there."""
    rubric = shipped_rubric()
    faults = [fault for question in rubric.questions for fault in question.faults]

    assert all(question.faults for question in rubric.questions)
    assert len(set(faults)) == len(faults)
    assert {
        *("invented_price", "size_times_ten", "against_own_rule", "ignored_refusal", "hindsight")
    } <= set(faults)
    assert rubric.question_of_fault("hindsight").question_id == "uses_hindsight"
    with pytest.raises(KeyError):
        rubric.question_of_fault("unknown")


def test_version_changes_with_every_character() -> None:
    """Two texts never share judgements."""
    text = text_of(6)

    assert parse_rubric(text) == parse_rubric(text)
    assert parse_rubric(text).version != parse_rubric(text + "# a comment\n").version


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (text_of(5), "has 5 questions; write 6 to 8"),
        (text_of(9), "has 9 questions; write 6 to 8"),
        (text_of(6, good="maybe"), "good is 'maybe'"),
        (text_of(6, step=0), "same id"),
        (text_of(6).replace('ask = "?"\n', ""), "lacks 'ask'"),
    ],
)
def test_unusable_rubric_is_refused(text: str, error: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(ValueError, match=error):
        parse_rubric(text)
