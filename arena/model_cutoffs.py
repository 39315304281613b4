"""Training cut-offs of models, and a warning if a model may have read about the prices.

A model that was trained on data of the months it trades in may have read what happened. So the
training cut-off, from `cutoffs.json` or from the operator (`cutoff`), is shown beside the dates of
the prices. A model that is not in the list has no known cut-off and gets no warning. Pure except
for `load_cutoffs`, which reads the file beside this module.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

import orjson

CUTOFFS_FILE = Path(__file__).with_name("cutoffs.json")
MONTH_PATTERN = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])")
EXAMPLE = "2025-08"


Contamination = Literal["", "partly", "contaminated"]


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The last month of training data.

    Attributes:
        models: Model ids, with `*` as in a shell; the first entry that matches counts.
        month: Last month whose data may be included, such as "2025-08".
        source: Source of the entry, and its date.
    """

    models: tuple[str, ...]
    month: str
    source: str


class CutoffList:
    """Training cut-offs by model id."""

    def __init__(self, cutoffs: tuple[Cutoff, ...]) -> None:
        """Take the entries, in their order."""
        self.cutoffs = cutoffs

    def of(self, model_id: str) -> Cutoff | None:
        """The cut-off of a model; None if unknown.

        A vendor before the name ("openai/gpt-5") and a variant after it ("gpt-5:free") do not
        change the training data; a fine-tuned model is another model.
        """
        name = model_id.rpartition("/")[2].lower()
        for spelled in dict.fromkeys((name, name.partition(":")[0])):
            for cutoff in self.cutoffs:
                if any(fnmatchcase(spelled, pattern) for pattern in cutoff.models):
                    return cutoff
        return None


def check_month(text: str) -> str:
    """Check a month and return it without surrounding spaces.

    Raises:
        ValueError: It is not a month.
    """
    month = text.strip()
    if not MONTH_PATTERN.fullmatch(month):
        raise ValueError(f"cutoff is {text[:40]!r}, not a month; write YYYY-MM such as {EXAMPLE}")
    return month


def parse_cutoffs(text: bytes) -> CutoffList:
    """Parse a `cutoffs.json`.

    Raises:
        ValueError: An entry cannot be read; the message names it.
    """
    cutoffs = []
    for entry in orjson.loads(text)["cutoffs"]:
        try:
            month = check_month(entry["month"])
            source = f"{entry['source']}, {entry['as_of']}"
            cutoffs.append(Cutoff(tuple(entry["models"]), month, source))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"cut-off entry {entry!r} lacks {error}") from None
    return CutoffList(tuple(cutoffs))


@cache
def load_cutoffs() -> CutoffList:
    """Load the cut-offs that are shipped with the arena."""
    return parse_cutoffs(CUTOFFS_FILE.read_bytes())


def cutoff_of(model: str, own: str = "") -> str:
    """The training cut-off of a model, such as "2025-08"; "" if it is unknown.

    Args:
        model: Model id.
        own: The operator's value, which overrides the list.
    """
    found = None if own else load_cutoffs().of(model)
    return own or (found.month if found else "")


def contamination_of(cutoff: str, first: datetime | None, last: datetime | None) -> Contamination:
    """Whether a model may have been trained on text about the prices that it trades on.

    Args:
        cutoff: Last month of its training data; "" if unknown.
        first: Venue time of the first snapshot; None if there is none.
        last: Venue time of the last snapshot; None if there is none.

    Returns:
        "contaminated" if all prices are of months up to its cut-off, "partly" if the first are.
    """
    if not cutoff or first is None or last is None or f"{first:%Y-%m}" > cutoff:
        return ""
    return "partly" if f"{last:%Y-%m}" > cutoff else "contaminated"


def cutoff_warning(model: str, cutoff: str, first: datetime | None, last: datetime | None) -> str:
    """A sentence of warning if a model may have read about the prices.

    Args:
        model: Model id.
        cutoff: Last month of its training data; "" if unknown.
        first: Venue time of the first snapshot; None if there is none.
        last: Venue time of the last snapshot; None if there is none.

    Returns:
        "" if all prices are of later months, or if the cut-off is unknown.
    """
    contaminated = contamination_of(cutoff, first, last)
    if not contaminated or first is None or last is None:
        return ""
    begin, end = f"{first:%Y-%m}", f"{last:%Y-%m}"
    known = f"The model {model} was trained on data up to {cutoff}"
    if contaminated == "partly":
        return (
            f"{known}; the prices are of {begin} to {end}: it may have read about those up to "
            f"{cutoff}."
        )
    when = begin if begin == end else f"{begin} to {end}"
    return f"{known}; the prices are of {when}: it may have read about them."
