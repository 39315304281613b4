"""One package per venue, found by its name: its protocol without I/O, and what only it has.

A package whose name begins with "_" is not a venue; `_template` is one to copy.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

from arena.errors import UsageError

if TYPE_CHECKING:
    from connectors.market.venue import Venue


def venue_names() -> tuple[str, ...]:
    """Names of the venues, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load_venue(name: str) -> "Venue":
    """The venue of a name.

    Raises:
        UsageError: It does not exist.
    """
    if name not in venue_names():
        raise UsageError(
            f"unknown venue {name!r}", remedy=f"choose from {', '.join(venue_names())}"
        )
    venue: Venue = importlib.import_module(f"{__name__}.{name}.venue").VENUE
    return venue
