"""The questions that a language model answers about a turn, from `rubric.toml`. Pure.

The version of a rubric is its name and the first characters of the hash of its file: judgements and
calibrations of another version are not mixed.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

QUESTIONS_MIN, QUESTIONS_MAX = 6, 8
HASH_CHARS = 8
FILE = "rubric.toml"

YesNo = Literal["yes", "no"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with two anchored answers.

    Attributes:
        question_id: Its name in judgements.
        ask: The question.
        yes, no: When the answer is yes, and when it is no.
        good: The answer that counts for the agent.
        faults: Faults that a calibration plants, which the other answer should find.
    """

    question_id: str
    ask: str
    yes: str
    no: str
    good: YesNo
    faults: tuple[str, ...]

    def counts_for_agent(self, yes: bool) -> bool:
        """True if an answer counts for the agent."""
        return yes == (self.good == "yes")


@dataclass(frozen=True, slots=True)
class Rubric:
    """All questions.

    Attributes:
        version: Name and hash, such as "turns-1-0a1b2c3d".
    """

    version: str
    questions: tuple[Question, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the questions, in their order."""
        return tuple(question.question_id for question in self.questions)

    def question_of_fault(self, fault: str) -> Question:
        """The question that should find a planted fault.

        Raises:
            KeyError: No question should find it.
        """
        for question in self.questions:
            if fault in question.faults:
                return question
        raise KeyError(fault)


def parse_rubric(text: str) -> Rubric:
    """Parse the text of a rubric.

    Raises:
        ValueError: It does not have from 6 to 8 questions with ids of their own, or a question
            lacks a part.
    """
    table = tomllib.loads(text)
    try:
        name = str(table["name"])
        questions = tuple(
            Question(
                question_id=str(one["id"]),
                ask=str(one["ask"]),
                yes=str(one["yes"]),
                no=str(one["no"]),
                good=_yes_or_no(one["good"]),
                faults=tuple(map(str, one["faults"])),
            )
            for one in table["questions"]
        )
    except KeyError as error:
        raise ValueError(f"the rubric lacks {error}") from None
    if not QUESTIONS_MIN <= len(questions) <= QUESTIONS_MAX:
        raise ValueError(f"the rubric has {len(questions)} questions; write 6 to 8")
    if len({question.question_id for question in questions}) != len(questions):
        raise ValueError("two questions of the rubric have the same id")
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
    return Rubric(f"{name}-{digest}", questions)


def _yes_or_no(value: object) -> YesNo:
    if value == "yes":
        return "yes"
    if value == "no":
        return "no"
    raise ValueError(f'good is {value!r}; write "yes" or "no"')


@cache
def shipped_rubric() -> Rubric:
    """The rubric that is shipped with the judge."""
    text = resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_rubric(text.replace("\r\n", "\n"))
