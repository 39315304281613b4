"""Thoughts are separated from the answer, in the forms of many models."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.thoughts import SplitText, split_thoughts


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("<think>\nIt rises.\n</think>\n\nI hold.", "I hold.", "It rises."),
        ("It rises.\n</think>\n\nI hold.", "I hold.", "It rises."),
        ("<think>It rises, and", "", "It rises, and"),
        ("<think></think>I hold.", "I hold.", ""),
        ("<THINKING>It rises.</thinking> I hold.", "I hold.", "It rises."),
        ("<thought>It rises.</thought>I hold.", "I hold.", "It rises."),
        ("<reasoning>It rises.</reasoning><answer>I hold.</answer>", "I hold.", "It rises."),
        ("[THINK]It rises.[/THINK]I hold.", "I hold.", "It rises."),
        ("◁think▷It rises.◁/think▷I hold.", "I hold.", "It rises."),
        ("<seed:think>It rises.</seed:think>I hold.", "I hold.", "It rises."),
        ("<|START_THINKING|>It rises.<|END_THINKING|>I hold.", "I hold.", "It rises."),
        ("<think>a</think>I buy.<think>b</think> Done.", "I buy. Done.", "a\nb"),
        ("a<think>b</think>c</think>I hold.", "I hold.", "a\nc\nb"),
        ("The tag `<think>` is not one here.", "The tag `<think>` is not one here.", ""),
        ("I think that 1 < 2 > 0.", "I think that 1 < 2 > 0.", ""),
    ],
)
def test_tagged_thoughts_leave_the_text(text: str, answer: str, thought: str) -> None:
    """With both tags, without the opening one, and without the closing one."""
    spoken = split_thoughts(text)

    assert answer == spoken.text
    assert sorted(thought.split("\n")) == sorted(spoken.thought.split("\n"))


CALLED = (("functions.execute_trade", '{"a": 1}'),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<|channel|>analysis<|message|>It rises.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>I hold.<|return|>",
            SplitText("I hold.", "It rises."),
        ),
        (
            "<|channel|>analysis<|message|>It rises.<|end|><|start|>assistant<|channel|>commentary "
            'to=functions.execute_trade <|constrain|>json<|message|>{"a": 1}<|call|>',
            SplitText("", "It rises.", CALLED),
        ),
        (
            "<|start|>assistant to=functions.execute_trade<|channel|>commentary json"
            '<|message|>{"a": 1}',
            SplitText("", "", CALLED),
        ),
        (
            ' to=functions.execute_trade<|channel|>commentary<|message|>{"a": 1}<|call|>',
            SplitText("", "", CALLED),
        ),
        (
            'analysisIt rises.assistantcommentary to=functions.execute_trade json{"a": 1}',
            SplitText("", "It rises.", CALLED),
        ),
        ("analysisIt rises.assistantfinalI hold.", SplitText("I hold.", "It rises.")),
        ("<|channel|>commentary<|message|>I look first.<|end|>", SplitText("I look first.")),
        ("<|channel|>final I hold.", SplitText("I hold.")),
        ("I hold.<|return|>", SplitText("I hold.<|return|>")),
        (
            '<|channel|>analysis to=functions.execute_trade<|message|>{"a": 1}<|call|>',
            SplitText("", '{"a": 1}', (), ("functions.execute_trade",)),
        ),
        (
            '<|start|>functions.execute_trade to=assistant<|channel|>commentary<|message|>"ok"',
            SplitText("", '"ok"'),
        ),
    ],
)
def test_channels_are_separated(text: str, expected: SplitText) -> None:
    """Analysis is thought, final is the answer; a recipient makes a call, but not in thoughts."""
    assert expected == split_thoughts(text)


PIECES = ["<think>", "</think>", "[THINK]", "<|channel|>", "analysis", "final", "<|message|>"]
PIECES += ["<|end|>", "<|start|>", "assistant", "to=functions.a", "word ", "{}", "<|call|>", "\n"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=24).map("".join))
def test_split_keeps_parts_of_the_text(text: str) -> None:
    """Any order of tags gives parts of the text, and never raises."""
    spoken = split_thoughts(text)

    answer = Counter("".join((spoken.text, spoken.thought)).split())
    letters = Counter("".join(answer.elements()))

    assert not letters - Counter(text)
