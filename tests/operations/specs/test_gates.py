"""Gates in an ARENA.toml: who gets them, flags of routers, and invalid settings."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import router_command

ARENA = """\
[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "patient"
strategy = "momentum"
chat_node = "rules"
on_move_pct = 0.5
quiet_max = "45m"
wake_on = ["fill", "halt"]

[competition]
snapshots = 120
strategies = ["scalper"]
models = ["rules"]
every = "25s"
calls_per_hour_max = 60
wake_on = "off"
"""


def parse(text: str) -> ArenaSpec:
    """The specification of a text."""
    return parse_spec(text, path="g.toml")


def flags(name: str, first: str) -> list[str]:
    """The end of the command of an agent's router, from a flag on."""
    (agent,) = [one for one in parse(ARENA).agents if one.name == name]
    words = router_command((agent,), Path())
    return words[words.index(first) :]


def test_gates_of_a_contest_are_those_of_the_matrix() -> None:
    """Named agents have their own, and baselines have none."""
    matrix = ["--every", "25s", "--calls-per-hour-max", "60", "--wake-on", "off"]
    own = ["--on-move-pct", "0.5", "--quiet-max", "45m", "--wake-on", "fill,halt"]

    assert matrix == flags("scalper-rules", "--every")
    assert own == flags("patient", "--on-move-pct")
    assert {} == next(a for a in parse(ARENA).agents if a.name == "cash").gate_settings


@pytest.mark.parametrize(
    ("line", "other", "text"),
    [
        ('every = "25s"', 'every = "0s"', "line 20: [competition] every: is '0s'; write a time"),
        ('every = "25s"', "every = 25", 'every: is 25; write a time of at most "7d"'),
        ("on_move_pct = 0.5", "on_move_pct = 0", "line 12: [[agents]] number 1, on_move_pct: is 0"),
        ("on_move_pct = 0.5", "on_move_pct = true", "on_move_pct: is True; write a percentage"),
        ('quiet_max = "45m"', 'quiet_max = "45"', "quiet_max: is '45'; write a time"),
        (
            'quiet_max = "45m"',
            'quiet_max = "5m"\nevery = "10m"',
            "quiet_max: is '5m', shorter than every = '10m'; write a longer one",
        ),
        ('"fill", "halt"', '"loss"', "names 'loss'; choose from halt, resume, exit, fill"),
        ("max = 60", "max = 0", "calls_per_hour_max: is 0; write a whole number from 1"),
        ("every", "evry", "every"),
    ],
)
def test_setting_that_cannot_be_used(line: str, other: str, text: str) -> None:
    """The error has the line, the value and the remedy."""
    with pytest.raises(UsageError) as found:
        parse(ARENA.replace(line, other))

    assert text in str(found.value)
