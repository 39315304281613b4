"""Up to when a model's training data reaches, and what that means for the prices it is shown.

A model that was trained on data of the months it trades in may have read what happened. So the
training cut-off, from `cutoffs.json` or from the operator (`cutoff`), is shown beside the dates of
the prices. A model that is not in the list has no known cut-off, and nothing is said of it. Pure
but for `load_cutoffs`, which reads the file beside it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import orjson

CUTOFFS_FILE = Path(__file__).with_name("cutoffs.json")
MONTH_PATTERN = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])")
EXAMPLE = "2025-08"


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The last month of training data.

    Attributes:
        models: Model ids, with `*` as in a shell; the first entry that matches counts.
        month: Such as "2025-08": data of that month may be in it.
        source: Where it is from, in words, and as of which day.
    """

    models: tuple[str, ...]
    month: str
    source: str


class CutoffList:
    """Training cut-offs by model id."""

    def __init__(self, cutoffs: tuple[Cutoff, ...]) -> None:
        """Keep the entries in their order."""
        self.cutoffs = cutoffs

    def of(self, model_id: str) -> Cutoff | None:
        """The cut-off of a model, None if it is unknown.

        A seller's name before the model ("openai/gpt-5") and a variant after it
        ("gpt-5:free") do not change what the model has read; a fine-tuned one is another model.
        """
        name = model_id.rpartition("/")[2].lower()
        for spelled in dict.fromkeys((name, name.partition(":")[0])):
            for cutoff in self.cutoffs:
                if any(fnmatchcase(spelled, pattern) for pattern in cutoff.models):
                    return cutoff
        return None


def check_month(text: str) -> str:
    """A month as the operator wrote it, without spaces around it.

    Raises:
        ValueError: It is not a month; the message says what is wrong.
    """
    month = text.strip()
    if not MONTH_PATTERN.fullmatch(month):
        raise ValueError(f"cutoff is {text[:40]!r}, not a month; write YYYY-MM such as {EXAMPLE}")
    return month


def parse_cutoffs(text: bytes) -> CutoffList:
    """The cut-offs in a `cutoffs.json`.

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
    """The cut-offs that come with the arena."""
    return parse_cutoffs(CUTOFFS_FILE.read_bytes())


def cutoff_of(model: str, own: str = "") -> str:
    """The training cut-off of a model, such as "2025-08"; "" if it is unknown.

    Args:
        model: Its id.
        own: What the operator says of it; it counts before the list.
    """
    found = None if own else load_cutoffs().of(model)
    return own or (found.month if found else "")


def cutoff_warning(model: str, cutoff: str, first: datetime | None, last: datetime | None) -> str:
    """Why to doubt the returns of a model that may have read about the prices, one sentence.

    Args:
        model: Its id.
        cutoff: Last month of its training data; "" if it is unknown.
        first: Venue time of the first snapshot; None if there is none.
        last: Of the last one.

    Returns:
        "" if all prices are of later months, or if nothing is known.
    """
    if not cutoff or first is None or last is None:
        return ""
    begin, end = f"{first:%Y-%m}", f"{last:%Y-%m}"
    if begin > cutoff:
        return ""
    known = f"The model {model} was trained on data up to {cutoff}"
    if end > cutoff:
        return (
            f"{known}; the prices are of {begin} to {end}: it may have read about those up to "
            f"{cutoff}."
        )
    when = begin if begin == end else f"{begin} to {end}"
    return f"{known}; the prices are of {when}: it may have read about them."
