"""Finds the column of the volume, and whether it is in base units or the quote currency. Pure.

In a file of BTC-USD, `volume`, `Volume BTC` and `Volume_(BTC)` are in bitcoin, `Volume USD` and
`quote_volume` are in dollars. A file whose column may be either is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arena.currency import DOLLARS
from arena.pricefiles.names import KNOWN, asset
from arena.products import QUOTES, base_of, quote_of

_BASE = "volume vol v volumefrom basevolume volumebase baseassetvolume basevol volbase tradedvolume"
BASE_NAMES: Final = frozenset(_BASE.split())
_QUOTE = (
    "quotevolume volumequote quoteassetvolume quotevol volumeto volumecurrency volccyquote turnover"
    " turnoverquote dollarvolume volumenotional notional"
)
QUOTE_NAMES: Final = frozenset(_QUOTE.split())
_OTHER = (
    "takerbuyvolume takerbuyquotevolume takerbuybasevolume takerbuybaseassetvolume buyvolume"
    " takerbuyquoteassetvolume sellvolume takersellvolume tickvolume"
)
OTHER_NAMES: Final = frozenset(_OTHER.split())
"""Columns with a part of the volume, or with no volume."""
UNITS: Final = QUOTES | KNOWN
"""Units of a volume; another word beside "volume" is not a unit."""

_MONEY = re.compile(r"(?:volume|vol)[ _(\[-]+([A-Za-z0-9]{2,10})[ )\]]*")
_MONEY_FIRST = re.compile(r"([A-Za-z0-9]{2,10})[ _-]+(?:volume|vol)")


@dataclass(frozen=True, slots=True)
class Volume:
    """The column of the volume.

    Attributes:
        index: Index of the column.
        quote: True if the volume is in the quote currency.
    """

    index: int
    quote: bool


def plain_name(name: str) -> str:
    """A column's name in lower case, without other characters: "volumecurrency"."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_volume(names: Sequence[str], product_id: str) -> Volume | None:
    """Find the column of the volume; None if there is none.

    Args:
        names: Names of the columns.
        product_id: Product such as "BTC-USD".

    Raises:
        ValueError: The volume is of another product, or its unit is unknown.
    """
    base, quote = base_of(product_id), quote_of(product_id)
    _require_once(names)
    named: dict[str, int] = {}
    plain: dict[bool, int] = {}
    unknown: list[str] = []
    for index, name in enumerate(names):
        word = plain_name(name)
        if word in OTHER_NAMES:
            continue
        if word in BASE_NAMES or word in QUOTE_NAMES:
            plain.setdefault(word in QUOTE_NAMES, index)
        elif (unit := asset(_unit(name))) == base or unit in UNITS:
            named.setdefault(unit, index)
        elif "vol" in word:
            unknown.append(name)
    if base in named:
        return Volume(named[base], quote=False)
    strange = [unit for unit in named if not _is_quote(unit, quote)]
    if strange:
        raise ValueError(
            f"the column {names[named[strange[0]]]!r} is in {strange[0]}, the product is "
            f"{product_id}; name the file after its product"
        )
    if False in plain:
        return Volume(plain[False], quote=False)
    if named or True in plain:
        return Volume(plain.get(True, next(iter(named.values()), -1)), quote=True)
    if unknown:
        raise ValueError(
            f"the unit of the column {unknown[0]!r} is not known; call it 'volume' if it is in "
            f"{base}, or 'quote_volume' if it is in {quote}"
        )
    return None


def _require_once(names: Sequence[str]) -> None:
    """Check that a volume has one column only: `volume` and `Volume` may differ.

    Raises:
        ValueError: There are two.
    """
    seen: dict[str, str] = {}
    for name in names:
        word = plain_name(name)
        if (word in BASE_NAMES or word in QUOTE_NAMES or _unit(name)) and word in seen:
            raise ValueError(f"two columns have the same name: {seen[word]}, {name}; keep one")
        seen[word] = name


def _unit(name: str) -> str:
    """The currency or coin in a volume's name, such as "Volume BTC", "volume_usd"; else ""."""
    text = name.strip().lower()
    found = _MONEY.fullmatch(text) or _MONEY_FIRST.fullmatch(text)
    return found[1].upper() if found else ""


def _is_quote(unit: str, quote: str) -> bool:
    return unit == quote or (unit in DOLLARS and quote in DOLLARS)
