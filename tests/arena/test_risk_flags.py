"""Limits of risk on command lines."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from arena.errors import UsageError
from arena.risk_flags import agent_risk_of_flags, read_setting, risk_of_flags, with_risk_flags
from arena.risk_limits import RiskLimits
from arena.risk_settings import RiskValues, merged_values, risk_values, setting_text, setting_values


def test_flags_add_single_limits_to_a_preset() -> None:
    """The preset comes first, then limits by name; every flag may be left out."""
    found = risk_of_flags(
        "cautious",
        {
            "max_trades_per_day": "7",
            "min_cash_pct": "20",
            "max_symbol_exposure_pct": "5",
            "max_daily_loss_pct": "2",
            "max_drawdown_pct": None,
        },
    )
    limits = RiskLimits.from_json(found)

    assert {} == risk_of_flags(None, {})
    assert (7, "20", "5", "2", "80") == (
        limits.max_trades_per_day,
        *map(
            str,
            (
                limits.min_cash_pct,
                limits.max_symbol_exposure_pct,
                limits.max_daily_loss_pct,
                limits.max_portfolio_exposure_pct,
            ),
        ),
    )


def test_a_file_has_limits_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON file is read; a share of older settings is converted, and a line says so."""
    file = tmp_path / "limits.json"
    file.write_text('{"preset": "aggressive", "MAX_POSITION_SIZE_PCT": 0.25}', encoding="utf-8")

    limits = RiskLimits.from_json(risk_of_flags(str(file), {}))

    assert ("25", "50") == (str(limits.max_symbol_exposure_pct), str(limits.max_drawdown_pct))
    assert "MAX_POSITION_SIZE_PCT = 0.25 is a share of equity" in capsys.readouterr().err


def test_an_agents_flag_adds_to_the_arenas() -> None:
    """An agent's limits by name are added to those of `--risk`; its own preset replaces them."""
    arena = risk_of_flags("standard", {})

    found = agent_risk_of_flags(['mo={"max_daily_loss_pct": 4}', "bo=off"], arena)

    assert ("4", "50") == (
        str(found["mo"].max_daily_loss_pct),
        str(found["mo"].max_symbol_exposure_pct),
    )
    assert not found["bo"].active


@pytest.mark.parametrize(
    ("risk", "limits", "words"),
    [
        ("nope", {}, "the presets are"),
        ("", {}, "unknown preset ''; the presets are"),
        ('{"preset": ""}', {}, "unknown preset ''; the presets are"),
        ("[1]", {}, "the presets are"),
        ('{"max": ', {}, "--risk is not JSON"),
        ("missing.json", {}, "cannot read missing.json"),
        (None, {"max_symbol_exposure_pct": "0"}, "the options: max_symbol_exposure_pct = 0"),
        (
            "cautious",
            {"max_symbol_exposure_pct": "81"},
            "is above max_portfolio_exposure_pct = 80",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    risk: str | None, limits: dict[str, str], words: str
) -> None:
    """Each error names the flag, the value and the remedy."""
    with pytest.raises(UsageError, match=words):
        risk_of_flags(risk, limits)


def test_a_command_has_an_option_for_every_limit() -> None:
    """A command with the options gets the setting; help shows the common ones."""
    app, found = typer.Typer(), list[RiskValues]()

    @app.command()
    @with_risk_flags
    def run(seconds: int = 1, *, risk_values: RiskValues) -> None:
        """Run."""
        found.append({"seconds": seconds, **risk_values})

    runner = CliRunner()
    words = ["--risk", "standard", "--max-trades-per-day", "3", "--seconds", "2"]
    assert runner.invoke(app, words).exit_code == 0
    assert runner.invoke(app, []).exit_code == 0
    help_text = runner.invoke(app, ["--help"]).output

    assert [
        {"seconds": 2, "preset": "standard", "max_trades_per_day": "3"},
        {"seconds": 1},
    ] == found[:2]
    environ = {"MAX_POSITION_SIZE_PCT": "0.10"}
    assert runner.invoke(app, [], env=environ).exit_code == 0
    assert runner.invoke(app, ["--risk", "off"], env=environ).exit_code == 0
    assert [
        {"seconds": 1, "MAX_POSITION_SIZE_PCT": "0.10"},
        {"seconds": 1, "preset": "off"},
    ] == found[2:]
    assert "--max-daily-loss-pct" in help_text
    assert "--max-trades-per-day" not in help_text


@pytest.mark.parametrize("word", ["mo", "mo=", "=cautious", "a b=cautious", "mo=brave"])
def test_an_agents_flag_needs_agent_and_limits(word: str) -> None:
    """A word without an agent, or without limits, is refused."""
    with pytest.raises(UsageError):
        agent_risk_of_flags([word], {})


def test_files_that_are_not_objects_are_refused(tmp_path: Path) -> None:
    """A file with a list, or with bytes that are not text, names the file."""
    listed, binary = tmp_path / "a.json", tmp_path / "b.json"
    listed.write_text("[1]", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")

    for file in (listed, binary):
        with pytest.raises(UsageError, match=file.name):
            read_setting(str(file), "--risk")


@pytest.mark.parametrize(
    "values",
    [{}, {"preset": "cautious"}, {"preset": "standard", "max_daily_loss_pct": "2.5"}],
)
def test_a_setting_survives_the_command_line(values: dict[str, Any]) -> None:
    """The text of a setting gives the same limits."""
    again = setting_values(setting_text(values), "--risk")

    assert RiskLimits.from_json(again) == RiskLimits.from_json(values)


def test_only_presets_and_tables_are_settings() -> None:
    """A setting of another type is refused with an example."""
    assert {"preset": "off"} == risk_values("off")
    assert {"max_daily_loss_pct": 3} == merged_values(
        {"max_daily_loss_pct": 5}, risk_values({"max_daily_loss_pct": 3})
    )
    with pytest.raises(UsageError, match='risk = "standard"'):
        risk_values(3)
