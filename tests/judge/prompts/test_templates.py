"""The coach's section of a strategy's text."""

from hypothesis import given
from hypothesis import strategies as st

from arena.messages import Template
from judge.prompts.templates import (
    DECISIONS,
    HEADING,
    NAMES,
    PARTS_MAX,
    TEMPLATES,
    compose,
    template_of,
    without_section,
)

OWN = "Buy what rises.\nSell what falls.\n"
CHOICES = st.lists(
    st.tuples(st.sampled_from(("", *NAMES)), st.lists(st.sampled_from(list(DECISIONS)))), max_size=6
)


def test_section_has_the_parts_of_the_template() -> None:
    """Below the strategy's own text, which stays."""
    text = compose(OWN, "conservative", ["figures"])
    assert text.startswith(OWN.rstrip() + f"\n\n{HEADING}\n")
    assert "- At most 15 % of your equity in one product.\n" in text
    assert "- Keep at least 20 % of your equity in cash.\n" in text
    assert text.endswith(f"- {DECISIONS['figures']}\n")


def test_templates_grow_bolder() -> None:
    """Each has one part per subject."""
    for name in NAMES:
        subjects = [part.subject for part in TEMPLATES[name]]
        assert len(subjects) == len(set(subjects))
    sizes = [next(p.text for p in TEMPLATES[name] if p.subject == "size") for name in NAMES]
    assert ["15 %", "30 %", "50 %"] == [text[text.index(" %") - 2 :][:4] for text in sizes]


def test_no_more_than_a_few_failed_checks_get_a_rule() -> None:
    """The worst first; unknown ones are left out."""
    text = compose(OWN, "", ["unknown", *DECISIONS])
    assert PARTS_MAX == text.count("\n- ")


@given(CHOICES)
def test_section_is_replaced_and_never_grows(choices: list[tuple[Template, list[str]]]) -> None:
    """The text depends on the last choice alone, and the strategy's own text comes back."""
    text = OWN
    for template, failed in choices:
        text = compose(text, template, failed)
        assert compose(OWN, template, failed) == text
        assert template == template_of(text)
        assert OWN == without_section(text)
    assert OWN == compose(text, "")


def test_what_an_author_wrote_below_the_section_stays() -> None:
    """A person may continue a version of the coach."""
    written = compose(OWN, "standard") + "\nOnly trade BTC-USD.\n- Sell at noon.\n"
    found = compose(written, "conservative", ("valid",))
    assert "Only trade BTC-USD.\n- Sell at noon.\n" in found
    assert "conservative" == template_of(found)
    assert 1 == found.count(HEADING)
    assert found == compose(found, "conservative", ("valid",))
