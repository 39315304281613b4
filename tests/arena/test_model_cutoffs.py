"""Training cut-offs of models, and the warning about prices before them."""

from datetime import UTC, date, datetime

import orjson
import pytest

from arena.model_cutoffs import (
    CUTOFFS_FILE,
    check_month,
    contamination_of,
    cutoff_of,
    cutoff_warning,
    load_cutoffs,
    parse_cutoffs,
)
from arena.server_answers import cutoff_findings


@pytest.mark.parametrize(
    ("model", "month"),
    [
        ("gpt-5-nano", "2024-05"),
        ("gpt-5-nano-2025-08-07", "2024-05"),
        ("openai/gpt-5-nano", "2024-05"),
        ("GPT-5-Nano", "2024-05"),
        ("gpt-5-nano:floor", "2024-05"),
        ("gpt-5", "2024-09"),
        ("gpt-4o-mini-2024-07-18", "2023-10"),
        ("claude-haiku-4-5-20251001", "2025-07"),
        ("claude-haiku-4-5@20251001", "2025-07"),
        ("anthropic/claude-sonnet-4.5", "2025-07"),
        ("models/gemini-2.5-flash", "2025-01"),
        ("llama3.1:8b", "2023-12"),
        ("meta-llama/Llama-3.1-70B-Instruct", "2023-12"),
        ("gpt-5-nano-large", ""),
        ("gpt-5-pro", ""),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", ""),
        ("llama3:8b", ""),
        ("local:smollm2-135m", ""),
        ("scripted", ""),
        ("", ""),
    ],
)
def test_cutoff_is_found_for_any_vendor(model: str, month: str) -> None:
    """A snapshot or another seller of a listed model is known; a sibling or a tuned one is not."""
    assert month == cutoff_of(model)


def test_operators_cutoff_overrides_list() -> None:
    """For a listed model, and for one that is not listed."""
    assert "2026-01" == cutoff_of("gpt-5-nano", "2026-01") == cutoff_of("own", "2026-01")


def test_every_cutoff_entry_has_a_source() -> None:
    """A month without a source is a rumour; no pattern is listed twice."""
    entries = orjson.loads(CUTOFFS_FILE.read_bytes())["cutoffs"]
    patterns = [model for entry in entries for model in entry["models"]]

    assert len(entries) == len(load_cutoffs().cutoffs)
    assert sorted(set(patterns)) == sorted(patterns)
    for entry in entries:
        assert date.fromisoformat(entry["as_of"]) <= date(2026, 11, 29)
        assert len(entry["source"]) > 10


@pytest.mark.parametrize(
    "text", ["2025", "2025-13", "2025-00", "25-08", "2025-08-01", "2025/08", "", "3025-01"]
)
def test_invalid_month_is_refused_with_example(text: str) -> None:
    """The value and the form that is wanted are named."""
    with pytest.raises(ValueError, match=r"not a month; write YYYY-MM such as 2025-08") as raised:
        check_month(text)

    assert repr(text) in str(raised.value)


def test_broken_list_names_the_entry() -> None:
    """Not only that something is missing."""
    with pytest.raises(ValueError, match=r"'gpt-9'.* lacks 'month'"):
        parse_cutoffs(b'{"cutoffs": [{"models": ["gpt-9"], "source": "s", "as_of": "d"}]}')


@pytest.mark.parametrize(
    ("cutoff", "first", "last", "message"),
    [
        ("2025-08", (2024, 3, 1), (2024, 3, 9), "the prices are of 2024-03: it may have read"),
        ("2025-08", (2024, 3, 1), (2025, 8, 31), "of 2024-03 to 2025-08: it may have read about"),
        ("2025-08", (2025, 8, 31), (2025, 9, 1), "of 2025-08 to 2025-09: it may have read about"),
        ("2025-08", (2025, 9, 1), (2025, 9, 2), ""),
        ("2025-12", (2026, 1, 1), (2026, 1, 2), ""),
        ("", (2024, 3, 1), (2024, 3, 9), ""),
    ],
)
def test_prices_before_cutoff_give_warning(
    cutoff: str, first: tuple[int, int, int], last: tuple[int, int, int], message: str
) -> None:
    """Wholly or in part; what is later, or of an unknown model, is not."""
    begin, end = (datetime(*day, tzinfo=UTC) for day in (first, last))
    warning = cutoff_warning("gpt-x", cutoff, begin, end)

    assert message in warning
    assert bool(message) == warning.startswith(
        f"The model gpt-x was trained on data up to {cutoff};"
    )
    assert not message or warning.endswith(".")


def test_partly_known_prices_are_named() -> None:
    """For prices on both sides of the cut-off, the warning names the earlier ones."""
    first, last = datetime(2025, 7, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)

    assert cutoff_warning("m", "2025-08", first, last).endswith("about those up to 2025-08.")
    assert "" == cutoff_warning("m", "2025-08", None, None)


@pytest.mark.parametrize(
    ("model", "own", "message"),
    [
        ("gpt-5-nano", "", "up to 2024-05 (OpenAI"),
        ("gpt-5-nano", "2025-08", "up to 2025-08 (as given)"),
        ("qwen3:8b", "", 'its end is unknown; set cutoff = "2025-08"'),
    ],
)
def test_check_shows_it_beside_the_price(model: str, own: str, message: str) -> None:
    """As `arena doctor` and `arena chat-node --check` print it."""
    (found,) = cutoff_findings(model, own)

    assert ("ok", "training data") == (found.state, found.check)
    assert message in found.detail


def test_contamination_is_of_months() -> None:
    """A season that begins in the month of the cut-off is contaminated in part at least."""
    at = [datetime(2025, month, 15, tzinfo=UTC) for month in (7, 8, 9)]
    assert contamination_of("2025-08", at[0], at[1]) == "contaminated"
    assert contamination_of("2025-08", at[1], at[2]) == "partly"
    assert contamination_of("2025-08", at[2], at[2]) == ""
    assert contamination_of("", at[0], at[0]) == contamination_of("2025-08", None, None) == ""
