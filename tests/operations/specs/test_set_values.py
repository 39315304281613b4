"""Values that flags set in a specification."""

from decimal import Decimal

import pytest

from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.set_values import grid_of, label_of, parse_set, single_values, with_values

TEXT = '[arena]\nname = "a"\n\n[[agents]]\nname = "one"\n\n[[agents]]\nname = "two"\n'


def test_values_are_toml_or_text() -> None:
    """Numbers stay exact; a list is one value."""
    assert parse_set("risk.max_daily_loss_pct=5,2.50") == (
        "risk.max_daily_loss_pct",
        [5, Decimal("2.50")],
    )
    assert parse_set("competition.every=25s,5m")[1] == ["25s", "5m"]
    assert parse_set('arena.products=["BTC-USD", "SOL-USD"]')[1] == [["BTC-USD", "SOL-USD"]]
    assert parse_set("web.enabled=false,true")[1] == [False, True]


@pytest.mark.parametrize("text", ["risk", "risk=5", "risk.x=", ".x=1", "risk.x=1,,2"])
def test_what_sets_nothing_is_refused(text: str) -> None:
    """The error shows the form."""
    with pytest.raises(UsageError, match="sets nothing; write --set TABLE.KEY=VALUE"):
        parse_set(text)


def test_the_same_value_twice_is_refused() -> None:
    """Two points with the same settings are one candidate with two names."""
    with pytest.raises(UsageError, match="--set market.seed has 1 twice; give each value once"):
        grid_of(["market.seed=1,2,1"])


def test_flags_make_a_grid() -> None:
    """Every combination, the last flag fastest."""
    grid = grid_of(["a.x=1,2", "b.y=3,4"])
    assert [tuple(one.values()) for one in grid] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert label_of(grid[1]) == "x=1 y=4"
    with pytest.raises(UsageError, match="given twice"):
        grid_of(["a.x=1", "a.x=2"])
    with pytest.raises(UsageError, match="the grid has 81 points; at most 64"):
        grid_of(["a.x=1,2,3,4,5,6,7,8,9", "a.y=1,2,3,4,5,6,7,8,9"])
    with pytest.raises(UsageError, match="one contest has one"):
        single_values(["a.x=1,2"])


def test_values_are_put_where_the_key_leads() -> None:
    """Tables are made; an entry of an array is named by its number."""
    found = parse_toml(with_values(TEXT, {"risk.max_daily_loss_pct": 5, "agents.1.seed": 7}), "t")
    assert found["risk"] == {"max_daily_loss_pct": 5}
    assert found["agents"] == [{"name": "one"}, {"name": "two", "seed": 7}]
    assert with_values(TEXT, {}) == TEXT
    with pytest.raises(UsageError, match="has no table '2'"):
        with_values(TEXT, {"agents.2.seed": 7})
    with pytest.raises(UsageError, match="array of tables; name one"):
        with_values(TEXT, {"agents.seed": 7})
    with pytest.raises(UsageError, match="has no table 'name'"):
        with_values(TEXT, {"arena.name.x": 7})


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "[1,nan]", "{a=inf}", "1e1001", "1e-99999"]
)
def test_numbers_that_no_key_takes_are_refused(value: str) -> None:
    """The error names the flag, the key and the value."""
    with pytest.raises(UsageError) as caught:
        parse_set(f"rules.slippage_bps={value}")
    assert f"--set rules.slippage_bps={value}: it" in str(caught.value)
