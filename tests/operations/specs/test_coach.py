"""The table [coach]."""

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import parse_spec
from operations.specs.coach import CoachTable, coach_flags, trials_command

FILE = """\
[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "momentum"
strategy = "momentum"
chat_node = "rules"

"""


def coach_of(text: str) -> CoachTable | None:
    """The table in a file."""
    return parse_spec(FILE + text, path="ARENA.toml").coach


def test_file_without_the_table_has_no_coach() -> None:
    """It proposes nothing unless it is asked to."""
    assert coach_of("") is None
    assert [] == coach_flags(None)


def test_defaults() -> None:
    """A person approves, an hour lies between two changes, and limits stay as they are."""
    expected = ["--coach", "propose", "--coach-cooldown", "1h", "--coach-expires", "4h"]
    assert expected == coach_flags(coach_of("[coach]\n"))


def test_settings_become_flags() -> None:
    """All of them."""
    text = '[coach]\nauto = true\ncooldown = "10m"\nexpires = "1d"\nscale_risk = "2h"\n'
    assert [
        *("--coach", "auto", "--coach-cooldown", "10m", "--coach-expires", "1d"),
        *("--coach-scale-risk", "2h", "--coach-risk-factor", "0.25"),
    ] == coach_flags(coach_of(text + "risk_factor = 0.25\n"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('cooldown = "an hour"', "such as"),
        ('expires = "8d"', "at most"),
        ("scale_risk = 3600", "string"),
        ("risk_factor = 0", "greater than 0"),
        ("risk_factor = 1.5", "less than or equal to 1"),
        ("automatic = true", "auto"),
    ],
)
def test_wrong_setting_is_refused(line: str, words: str) -> None:
    """The message names the key."""
    with pytest.raises(UsageError) as found:
        coach_of(f"[coach]\n{line}\n")
    text = f"{found.value} {found.value.remedy}"
    assert line.partition(" ")[0] in text
    assert words in text


def test_trials_need_a_process_and_a_flag() -> None:
    """The judge waits for results, and shadow agents give them; without the key nothing changes."""
    assert [] == trials_command(None) + trials_command(coach_of("[coach]\n"))
    coach = coach_of("[coach]\ntrials = true\ntrial_snapshots = 90\n")
    assert "--coach-trials" == coach_flags(coach)[-1]
    assert ["prompts", "trial", "--watch", "--snapshots", "90"] == trials_command(coach)
    with pytest.raises(UsageError, match="trial_snapshots"):
        coach_of("[coach]\ntrials = true\ntrial_snapshots = 59\n")


def test_trials_cannot_add_agents_in_lock_step() -> None:
    """The market waits for its agents alone."""
    coach = "[coach]\ntrials = true\n"
    contest = "[competition]\nsnapshots = 9\nprompts = 'coached'\n"
    assert coach_of(contest + "pacing = 'real-time'\n" + coach) is not None
    with pytest.raises(UsageError, match=r"\[coach\] trials.*lock-step"):
        coach_of("[market]\nsource = 'replay'\n" + contest + coach)
