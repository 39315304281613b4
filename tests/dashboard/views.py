"""Views of recorded scenarios."""

from collections.abc import Iterable

from arena.bus.base import Record
from dashboard.model.view import ArenaView


def view_of(records: Iterable[Record]) -> ArenaView:
    """A view of these records."""
    view = ArenaView()
    for record in records:
        view.apply(record)
    return view
