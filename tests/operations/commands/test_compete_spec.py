"""The specification of `arena compete new`, and the changes by the flags of a run."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.settings import Settings
from operations.commands.compete_spec import (
    SNAPSHOTS,
    competition_toml,
    toml_with_flags,
    with_starting_cash,
)
from operations.commands.compete_start import new_contest, split_arguments
from operations.specs.arena_spec import parse_spec
from operations.specs.toml_text import to_toml
from tests.operations.commands.cli import arena


def test_written_specification_is_valid(settings: Settings, tmp_path: Path) -> None:
    """`arena up --dry-run` accepts the file of `arena compete new`."""
    path = tmp_path / "mine.toml"

    written = arena(settings, "compete", "new", str(path))
    planned = arena(settings, "up", str(path), "--dry-run", "--no-dashboard")

    assert (written.returncode, written.stderr) == (0, "")
    assert f"compete run {path}" in written.stdout
    assert path.read_text() == competition_toml(path=str(path))
    assert planned.returncode == 0, planned.stderr
    assert "connector replay --lock-step --agents momentum-rules-1," in planned.stdout


def test_existing_file_is_not_replaced(settings: Settings, tmp_path: Path) -> None:
    """Only `--force` replaces it."""
    path = tmp_path / "mine.toml"
    path.write_text("mine")

    refused = arena(settings, "compete", "new", str(path))
    content = path.read_text()
    forced = arena(settings, "compete", "new", str(path), "--force")

    assert refused.returncode == 2
    assert refused.stderr == f"arena: {path} exists; choose another file, or add --force\n"
    assert content == "mine"
    assert forced.returncode == 0
    assert path.read_text() == competition_toml(path=str(path))


def test_resumed_contest_keeps_its_starting_cash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text that `--resume` reads has the INITIAL_CASH of the start."""
    path = tmp_path / "mine.toml"
    path.write_text(competition_toml().replace("starting_cash = 100000\n", ""))
    monkeypatch.setenv("INITIAL_CASH", "2500")

    begun = new_contest(path, prices=(), snapshots=None, settings=Settings(home=tmp_path / "h"))

    assert Decimal(2_500) == parse_spec(begun.text, path="c.toml").rules.starting_cash


def test_own_starting_cash_takes_precedence() -> None:
    """The variable's amount is written only if the specification has none."""
    open_text = competition_toml().replace("starting_cash = 100000\n", "")
    cash = Decimal("2.5E+3")

    assert parse_spec(open_text, path="c.toml").rules.starting_cash is None
    spec = parse_spec(with_starting_cash(open_text, cash), path="c.toml")
    assert Decimal(2_500) == spec.rules.starting_cash
    assert open_text == with_starting_cash(open_text, None)
    assert competition_toml() == with_starting_cash(competition_toml(), cash)


def test_commented_keys_are_valid() -> None:
    """Every key in a comment can be enabled."""
    text = competition_toml()
    keys = ("prices", "start", "price_age_s", "collar_bps", "replies_file", "llm_budget_usd")
    for key in keys:
        assert f"\n# {key} = " in text
        text = text.replace(f"\n# {key} = ", f"\n{key} = ")

    spec = parse_spec(text, path="c.toml")

    assert spec.market.prices == ("BTC-USD.csv",)
    assert spec.competition is not None
    assert str(spec.competition.llm_budget_usd) == "5.00"


def test_text_without_changes_is_kept() -> None:
    """The run keeps the file with its comments."""
    assert toml_with_flags(competition_toml()) == competition_toml()


def test_flags_change_prices_and_length() -> None:
    """The files' products are traded in lock-step; everything else is unchanged."""
    files = [Path("/d/ETH-USD_2018.csv.gz"), Path("/d/LTC-USD_2018.parquet")]

    text = toml_with_flags(competition_toml(), prices=files, snapshots=9)

    before = parse_spec(competition_toml(), path="c.toml")
    after = parse_spec(text, path="c.toml")
    assert after.arena.products == ("ETH-USD", "LTC-USD")
    assert after.market.prices == tuple(map(str, files))
    assert after.market.begins_at is None
    assert after.competition is not None
    assert after.competition.snapshots == 9
    assert (after.agents, after.rules) == (before.agents, before.rules)


def test_snapshots_flag_replaces_a_duration() -> None:
    """`--snapshots` takes precedence over both lengths of the file."""
    text = competition_toml().replace(f"snapshots = {SNAPSHOTS}", 'duration = "2d"')

    spec = parse_spec(toml_with_flags(text, snapshots=5), path="c.toml")

    assert spec.competition is not None
    assert (spec.competition.snapshots, spec.competition.duration) == (5, None)


def test_toml_is_written_as_it_was_read() -> None:
    """Tables, arrays of tables, times, money and text with quotes are unchanged."""
    text = (
        '[a]\nx = 1\ny = [1.50, "q\\"\\\\ é"]\nz = true\nt = 2026-01-01T00:00:00+00:00\n\n'
        '[[b]]\nn = "1"\n\n[[b]]\nn = "2"\n'
    )

    assert tomllib.loads(to_toml(tomllib.loads(text))) == tomllib.loads(text)


def test_two_files_of_a_product_are_refused() -> None:
    """The error names both files."""
    files = [Path("BTC-USD_1.csv"), Path("BTCUSD-1m.csv")]

    with pytest.raises(UsageError, match=r"files of BTC-USD: BTC-USD_1.csv, BTCUSD-1m.csv; give"):
        toml_with_flags(competition_toml(), prices=files)


def test_price_files_are_found_among_arguments() -> None:
    """`SPEC --prices A B`: B is a price file, although it is an argument."""
    words = [Path("c.toml"), Path("B-USD.csv.gz")]

    assert split_arguments(words) == ([Path("c.toml")], [Path("B-USD.csv.gz")])


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ((), 2, "give one specification, or --resume and a run"),
        (("a.toml", "b.toml"), 2, "give one specification"),
        (("examples/competition.toml", "--resume", "x"), 2, "give one specification"),
        (("--resume", "never"), 2, "no run 'never'"),
        (("nothing.toml",), 2, "cannot read nothing.toml"),
        (("examples/demo.toml",), 2, "is not a contest: it has no [competition] table"),
        (("examples/competition.toml", "--prices", "docs"), 2, "has no candle file"),
    ],
)
def test_wrong_usage_is_refused_before_anything_starts(
    settings: Settings, words: tuple[str, ...], code: int, error: str
) -> None:
    """Exit code 2, one sentence with the remedy, and no run folder."""
    done = arena(settings, "compete", "run", *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr
    assert not (settings.home / "runs").exists()


def test_flag_for_prompts_is_kept_for_a_resumed_contest() -> None:
    """`--prompts coached` is written into the specification of the run."""
    text = toml_with_flags(competition_toml(), prompts="coached")

    assert "coached" == tomllib.loads(text)["competition"]["prompts"]
    assert "frozen" == tomllib.loads(competition_toml())["competition"]["prompts"]
