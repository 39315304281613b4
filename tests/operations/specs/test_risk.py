"""Limits of risk in an ARENA.toml: what is read, what becomes of it, what is refused."""

import pytest

from arena.errors import UsageError
from operations.commands.compete_spec import competition_toml, toml_with_flags, with_risk
from operations.specs.arena_spec import parse_spec
from operations.specs.environment_defaults import environment_notes, with_environment_defaults
from operations.specs.risk import share_notes
from operations.supervisor.plan import tools_command

SPEC = """\
[risk]
preset = "standard"
max_daily_loss_pct = 5.5

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"
risk = "cautious"

[[agents]]
name = "bo"
strategy = "momentum"
chat_node = "rules"

[agents.risk]
max_symbol_exposure_pct = 20
"""
BARE = SPEC.partition("\n\n")[2].replace('risk = "cautious"', "").partition("[agents.risk]")[0]


def flags(text: str) -> list[str]:
    """The words of `arena tools` about limits."""
    words = tools_command(parse_spec(text, path="x"))
    return [word for i, word in enumerate(words) if "risk" in words[i - 1]]


def test_limits_go_to_the_executor() -> None:
    """`[risk]` becomes the default, an agent's table is added to it, its preset replaces it."""
    assert [
        '{"preset":"standard","max_daily_loss_pct":"5.5"}',
        "mo=cautious",
        'bo={"preset":"standard","max_daily_loss_pct":"5.5","max_symbol_exposure_pct":20}',
    ] == flags(SPEC)


def test_an_arena_without_limits_has_no_flags() -> None:
    """Without `[risk]` the executor is started as before."""
    assert [] == flags(BARE)


def test_a_contest_gives_limits_to_its_matrix() -> None:
    """`risk` of [competition] is that of the agents of the matrix, not of the baselines."""
    text = competition_toml().replace('models = ["rules"]', 'models = ["rules"]\nrisk = "cautious"')
    spec = parse_spec(text, path="x")

    assert {"momentum-rules-1", "momentum-rules-2"} < {a.name for a in spec.agents if a.risk}
    assert {"buy-and-hold", "cash", "random"} == {a.name for a in spec.agents if not a.risk}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("5.5", "0", "line 3: [risk] max_daily_loss_pct: max_daily_loss_pct = 0; give a percent"),
        ("5.5", "nan", "line 3: [risk] max_daily_loss_pct: max_daily_loss_pct = 'NaN' is not a"),
        ('"standard"', '"brave"', "line 2: [risk] preset: unknown preset 'brave'; the presets are"),
        ("max_daily_loss", "max_dayly_loss", "unknown limit 'max_dayly_loss_pct'; the limits are"),
        ("= 20", "= 99", "[[agents]] number 2, risk: max_symbol_exposure_pct = 99 is above max_"),
        ('"cautious"', '"brave"', "line 13: [[agents]] number 1, risk: 'brave': unknown preset"),
        ('"cautious"', "3", "line 13: [[agents]] number 1, risk: risk was 3; name a preset"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, words: str) -> None:
    """The error names the line, the value and the remedy."""
    with pytest.raises(UsageError) as caught:
        parse_spec(SPEC.replace(old, new, 1), path="ARENA.toml")

    assert words in str(caught.value)


def test_flags_change_the_specification() -> None:
    """Limits of flags are added to the file's, also if the file names a preset only."""
    changed = with_risk(SPEC, {"max_daily_loss_pct": "4"})
    short = with_risk('risk = "cautious"\n' + BARE, {"max_daily_loss_pct": "4"})

    assert '{"preset":"standard","max_daily_loss_pct":"4"}' == flags(changed)[0]
    assert ['{"preset":"cautious","max_daily_loss_pct":"4"}'] == flags(short)
    assert SPEC == with_risk(SPEC, {})
    assert ["off"] == flags(with_risk(BARE, {"preset": "off"}))


def test_a_preset_at_the_top_survives_other_flags() -> None:
    """A specification that names its preset in one line can be written again."""
    text = 'risk = "cautious"\n' + competition_toml()

    assert ["cautious"] == flags(toml_with_flags(text, snapshots=3))


def test_shares_in_the_file_are_told_once() -> None:
    """A line per value says what `MAX_POSITION_SIZE_PCT` is in percent."""
    share = {"MAX_POSITION_SIZE_PCT": "0.10"}
    (note,) = share_notes(dict(share), [None, dict(share), {"preset": "cautious"}])

    assert note.endswith("taken as max_symbol_exposure_pct = 10 (percent)")
    assert [] == share_notes({}, [None])


def test_a_share_of_the_environment_counts_without_limits_in_the_file() -> None:
    """`MAX_POSITION_SIZE_PCT` is converted, and a line says so; the file's limits precede it."""
    environ = {"MAX_POSITION_SIZE_PCT": "0.10"}
    bare, own = parse_spec(BARE, path="x"), parse_spec(SPEC, path="x")

    assert {"MAX_POSITION_SIZE_PCT": "0.10"} == with_environment_defaults(bare, environ).risk
    assert own == with_environment_defaults(own, environ)
    (note,) = environment_notes(bare, environ)
    assert note.endswith("taken as max_symbol_exposure_pct = 10 (percent)")
    assert [] == environment_notes(own, environ)
    with pytest.raises(UsageError, match="is not a share"):
        with_environment_defaults(bare, {"MAX_POSITION_SIZE_PCT": "10"})
