"""Figures that an agent quotes, and whether they were shown to it. Pure.

What counts as a quoted figure, so that an agent's plans and counts are not mistaken for quotations:

* a number with decimals, or of at least 1,000, that is not a percentage, a duration, a time, a date
  or a part of a name ("rsi_14", "15m");
* not a level that the agent chose ("stop at 131.5", "if it breaks 140.2");
* a percentage that is said to have happened ("up 3.1 %", "fell 2%").

A figure was shown if a shown number rounds or is cut to it, at its own digits: 67.2k for 67,218.40.
Numbers of the prompt, of the tools' answers before it, and of the agent's own calls are shown ones.
A percentage was not shown if its number was not, and no two shown prices of one product are that
far apart.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from arena.granularities import GRANULARITIES

FIGURES_MAX = 40
"""Figures of one turn that are looked at."""
DIGITS_MAX = 30
"""Longer numbers are not figures: their last digit may have no value as a float."""
LEAST_INTEGER = 1_000.0
SCALES = {"k": 1e3, "K": 1e3, "M": 1e6}
PRICE_SECTIONS = ("Tickers", "Candles", "Closes")
"""Sections of a prompt that list prices."""
_DATES = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]*Z?)?|\b\d{1,2}:\d\d(?::\d\d)?\b")
_NUMBER = re.compile(
    r"(?<![\w.,])[$€£]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)([kKM](?![\w%]))?"
)
_SHOWN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_PERCENT = re.compile(r"\s?(?:%|percent\b|per cent\b|pct\b|bps\b|basis points\b)")
_WORD_AFTER = re.compile(r"(?:[-_]?[a-zA-Z_])")
_PLANNED = re.compile(
    r"\b(?:if|unless|until|target\w*|stops?|stop[- ]loss|trail\w*|limit|take[- ]profit|entry|"
    r"exits?|breaks?|break(?:out|down)|break\s+(?:above|below)|invalidat\w*|aim\w*|expect\w*|"
    r"towards?|reach\w*|would|could|should|ratio|factor|about|roughly|around|nearly|almost)\W+"
    r"(?:\w+\W+){0,2}$",
    re.IGNORECASE,
)
_MOVED = re.compile(
    r"(?:\b(?:up|down|rose|risen|rises|fell|fallen|falls|gain(?:ed|s)?|dropped|drops|lost|climbed|"
    r"jumped|rallied|slid|moved|surged|plunged)\s+(?:by\s+|about\s+|over\s+)?|(?<![\w.,])[+-])"
    r"(\d+(?:\.\d+)?)\s?(?:%|percent\b)",
    re.IGNORECASE,
)


class Quoted(NamedTuple):
    """A figure as the agent wrote it.

    Attributes:
        text: Its characters.
        value: Its value.
        unit: Value of its last digit.
        moved: True for a percentage that is said to have happened.
    """

    text: str
    value: float
    unit: float
    moved: bool = False


def quoted_figures(text: str) -> list[Quoted]:
    """The figures of a text that count as quotations, at most `FIGURES_MAX`."""
    plain = _DATES.sub(" ", text)
    found = [
        Quoted(m.group(0).strip(), float(m.group(1)), _unit_of(m.group(1)), moved=True)
        for m in _MOVED.finditer(plain)
        if len(m.group(1)) <= DIGITS_MAX
    ]
    for match in _NUMBER.finditer(plain):
        digits, scale = match.group(1), SCALES.get(match.group(2) or "", 1.0)
        after = plain[match.end() :]
        if len(digits) > DIGITS_MAX:
            continue
        if _PERCENT.match(after) or _WORD_AFTER.match(after) or not after.strip():
            continue  # A number at the very end may have been cut off.
        value = float(digits.replace(",", "")) * scale
        if "." not in digits and value < LEAST_INTEGER:
            continue
        if _PLANNED.search(plain[max(0, match.start() - 40) : match.start()]):
            continue
        found.append(Quoted(match.group(0), value, _unit_of(digits) * scale))
    return found[:FIGURES_MAX]


def _unit_of(digits: str) -> float:
    """The value of the last digit; trailing zeros of a whole number are rounding, up to 1 %."""
    plain = digits.replace(",", "")
    if "." in plain:
        return float(10.0 ** -len(plain.partition(".")[2]))
    zeros = len(plain) - len(plain.rstrip("0"))
    unit = 10.0 ** min(zeros, max(len(plain) - 3, 0))
    return float(unit)


def shown_numbers(texts: Iterable[str]) -> list[float]:
    """All numbers of some texts, sorted; also the parts of dates and names, which do no harm."""
    words = {word for text in texts for word in _SHOWN.findall(text)}
    found = {float(word.replace(",", "")) for word in words}
    return sorted(found)


def is_shown(figure: Quoted, shown: Sequence[float]) -> bool:
    """True if a shown number rounds or is cut to the figure.

    A whole percentage proves nothing: some volume is always near it.

    Args:
        figure: The figure.
        shown: Sorted numbers.
    """
    if figure.moved and figure.unit >= 1:
        return False
    low, high = figure.value - figure.unit / 2, figure.value + figure.unit
    slack = 1e-9 * max(1.0, abs(figure.value))
    place = bisect_left(shown, low - slack)
    return place < len(shown) and shown[place] < high + slack


def largest_move_pct(prices: Mapping[str, tuple[float, float]]) -> float:
    """The largest change between two shown prices of one product, in percent.

    Args:
        prices: Product -> lowest and highest shown price.
    """
    return max((100 * (high / low - 1) for low, high in prices.values() if low > 0), default=0.0)


def price_ranges(prompt: str) -> dict[str, tuple[float, float]]:
    """The lowest and the highest price of each product in a prompt: tickers, candles, closes."""
    found: dict[str, tuple[float, float]] = {}
    section, product = "", ""
    for line in prompt.splitlines():
        if line.startswith("## "):
            section, _, rest = line.removeprefix("## ").partition(" ")
            product = rest.partition(" ")[0] if section == "Candles" else ""
            continue
        name, numbers = _row(line, product) if section in PRICE_SECTIONS else ("", [])
        if name and numbers:
            low, high = found.get(name, (min(numbers), max(numbers)))
            found[name] = min(low, *numbers), max(high, *numbers)
    return found


def _row(line: str, product: str) -> tuple[str, list[float]]:
    """The product and the prices of a line of CSV; no prices if it is another line.

    A candle is `start,open,high,low,close,volume`, a ticker
    `product_id,price,best_bid,best_ask,...`, closes are `product_id,window,closes`.
    """
    cells = line.split(",")
    if len(cells) < 3:
        return "", []
    if product and ":" in cells[0]:
        return product, _prices(cells[1:5])
    if "-" not in cells[0] and ":" not in cells[0]:
        return "", []
    if cells[1] in GRANULARITIES:
        return cells[0], _prices(cells[2:])
    return cells[0], _prices(cells[1:4])


def _prices(cells: Sequence[str]) -> list[float]:
    found = []
    for cell in cells:
        try:
            price = float(cell)
        except ValueError:
            continue
        if price > 0:
            found.append(price)
    return found
