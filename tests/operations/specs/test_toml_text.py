"""Tables written as TOML are read back as they were."""

from decimal import Decimal
from typing import Any

import pytest

from arena.toml_files import parse_toml
from operations.specs.toml_text import to_toml


# Any: any TOML value.
@pytest.mark.parametrize(
    "tables",
    [
        {"rules": {"binance:BTCUSDT": 1, "two words": 2, "": 3}},
        {"two words": {"limits": {"a.b": [1, 2]}}},
        {"agents": [{"a b": "one"}, {"a b": "two"}]},
        {"arena": {"name": 'quotes ", \\ and \x7f'}},
        {"rules": {"fees": Decimal("Infinity")}},
    ],
)
def test_tables_are_read_back(tables: dict[str, Any]) -> None:
    """Keys that need quotes, odd letters, and numbers that are not finite."""
    assert tables == parse_toml(to_toml(tables), "x", parse_float=Decimal)


def test_not_a_number_is_read_back() -> None:
    """NaN equals nothing, and is checked on its own."""
    found = parse_toml(to_toml({"rules": {"fees": Decimal("NaN")}}), "x", parse_float=Decimal)

    assert found["rules"]["fees"].is_nan()
