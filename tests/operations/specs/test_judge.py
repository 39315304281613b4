"""The [judge] table of an ARENA.toml: what becomes of it, and what is refused."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import parse_spec
from operations.supervisor.plan import LaunchContext, plan

SPEC = """\
[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[chat_nodes]]
name = "opinions"
model_id = "scripted"

[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"

[judge]
chat_node = "opinions"
share = "50%"
calls_per_day = 40
"""
CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))


def judge_words(text: str) -> str:
    """The command of the judge; "" if none is started."""
    found = [p for p in plan(parse_spec(text, path="x"), CONTEXT) if p.name == "judge"]
    return " ".join(found[0].argv) if found else ""


def test_table_starts_a_judge_without_a_contest() -> None:
    """Its keys are flags; omitted ones keep the judge's defaults."""
    bare = SPEC.partition('share = "50%"')[0]

    assert "arena judge --chat-node opinions --share 0.5 --calls-per-day 40" == judge_words(SPEC)
    assert "arena judge --chat-node opinions" == judge_words(bare)
    assert "arena judge" == judge_words(bare.replace('chat_node = "opinions"', ""))
    assert "" == judge_words(bare.partition("[judge]")[0])


def test_contest_with_a_model_as_judge_has_the_flags_of_both() -> None:
    """The table starts the judge also if the contest alone would not."""
    text = SPEC.partition("[[agents]]")[0] + "[judge]" + SPEC.partition("[judge]")[2]
    contest = '[market]\nsource = "replay"\n[competition]\nsnapshots = 9\nbaselines = ["cash"]\n'

    words = judge_words(f"{text}\n{contest}")
    assert "arena judge --confidence 0.9 --seed 1 --chat-node opinions" in words
    assert "--chat-node opinions" in judge_words(f"{text}\n{contest}judge = false\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'chat_node = "opinions"',
            'chat_node = "opinion"',
            "line 15: [judge] chat_node: no [[chat_nodes]] has the name 'opinion'; there is "
            "opinions, rules",
        ),
        ('chat_node = "opinions"\n', "", 'share needs chat_node = "..."; add it'),
        ('"50%"', "1.5", "[judge] share: 1.5 is not a share"),
        ("= 40", "= 0", "calls_per_day"),
        ("calls_per_day", "calls_per_hour", "calls_per_hour"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, words: str) -> None:
    """The error names the place, the value and the remedy."""
    with pytest.raises(UsageError) as error:
        parse_spec(SPEC.replace(old, new), path="x")

    assert words in str(error.value)
