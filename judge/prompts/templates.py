"""Parts that the coach adds to a strategy's text: how cautious to be, how to decide better. Pure.

The strategy's own text stays as it is. The parts are one section at its end, under a heading of its
own, so a later version replaces the section and never grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final, Literal

from arena.messages import Template

HEADING: Final = "Rules of your coach, which come before the rules above"
NAMES: Final[tuple[Template, ...]] = ("conservative", "standard", "aggressive")
PARTS_MAX: Final = 3
"""Most parts about failed checks in one version."""

Subject = Literal["size", "cash", "edge", "exits", "pace"]


@dataclass(frozen=True, slots=True)
class TemplatePart:
    """One rule of a template.

    Attributes:
        subject: What it is about; a template has one part per subject.
        text: The rule, as one line.
    """

    subject: Subject
    text: str


TEMPLATES: Final[dict[Template, tuple[TemplatePart, ...]]] = {
    "conservative": (
        TemplatePart("size", "At most 15 % of your equity in one product."),
        TemplatePart("cash", "Keep at least 20 % of your equity in cash."),
        TemplatePart(
            "edge",
            "Buy only if the move you expect is at least 1.05 times the cost of both ways, and"
            " twice what you lose if your stop fires.",
        ),
        TemplatePart("exits", "Where you can give an entry a stop-loss, give it one of 2 %."),
        TemplatePart("pace", "After a loss, wait for three snapshots before you buy again."),
    ),
    "standard": (
        TemplatePart("size", "At most 30 % of your equity in one product."),
        TemplatePart("cash", "Keep at least 15 % of your equity in cash."),
        TemplatePart(
            "edge", "Buy only if the move you expect is at least 1.01 times the cost of both ways."
        ),
        TemplatePart("exits", "Know for every position at which price you leave it."),
    ),
    "aggressive": (
        TemplatePart("size", "Up to 50 % of your equity in one product."),
        TemplatePart("cash", "Keep at least 10 % of your equity in cash."),
        TemplatePart(
            "edge",
            "Buy if the move you expect is at least 1.02 times the cost of both ways, and 1.5 times"
            " what you lose if you are wrong. An entry that meets this is taken, not postponed.",
        ),
        TemplatePart(
            "exits", "Take a profit above both costs, and a loss of 1 %, without waiting."
        ),
    ),
}
"""Figures of the parts: shares of equity and multiples of the cost of buying and selling again."""

DECISIONS: Final[dict[str, str]] = {
    "valid": "Answer with a tool call that has all its arguments, or with one line of words.",
    "figures": "Quote only figures that are in this prompt or in a tool's result.",
    "intent": "Send the orders that your words announce; if you send none, say that you hold.",
    "own_rules": "Check an order against each of your rules before you send it.",
    "size": "Compute the size of an order before you send it; one that is too large is refused.",
    "cost": "Name the move that you expect in percent, and compare it with the cost of both ways.",
    "refused": "Do not send a refused order again: change what the refusal names, or leave it.",
    "churn": "Do not sell within three snapshots what you bought, unless your stop is reached.",
}
"""Check of `judge.evaluations` -> the rule for an agent that fails it often."""


def compose(text: str, template: Template, failed: Sequence[str] = ()) -> str:
    """The text of a strategy with the section of a template.

    Args:
        text: A strategy's text; a section that it already has is replaced.
        template: The template; "" for none of its parts.
        failed: Checks that the agent fails often, the worst first; further ones than `PARTS_MAX`
            are left out.
    """
    lines = [part.text for part in TEMPLATES[template]] if template else []
    lines += [DECISIONS[name] for name in failed if name in DECISIONS][:PARTS_MAX]
    own = without_section(text)
    if not lines:
        return own
    return f"{own.rstrip()}\n\n{HEADING}\n" + "".join(f"- {line}\n" for line in lines)


def without_section(text: str) -> str:
    """A strategy's text without the coach's section: its heading and the rules below it."""
    own, heading, below = text.partition(f"\n\n{HEADING}\n")
    if not heading:
        return text
    lines = below.splitlines(keepends=True)
    return f"{own}\n{''.join(dropwhile(lambda line: line.startswith('- '), lines))}"


def template_of(text: str) -> Template:
    """The template whose parts a text has; "" for none."""
    _, _, section = text.partition(f"\n\n{HEADING}\n")
    lines = set(section.splitlines())
    for name in NAMES:
        if all(f"- {part.text}" in lines for part in TEMPLATES[name]):
            return name
    return ""
