"""The templates and the style sheet of every page. Pure except for reading its own files.

Every text is escaped, and its invisible characters are shown as escapes. `shared.html.j2` has the
macros that pages share; a room has templates of its own beside it.
"""

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from arena import __version__
from arena.page import formats
from arena.page.verdict_words import pieces
from arena.plural import counted

Filter = Callable[..., Any]  # Any: a filter takes and gives what its template wants.


def page_environment(
    package: str, filters: Iterable[Filter] = (), *, chars_max: int | None = None
) -> Environment:
    """The templates of a room's package, and those that all pages share.

    Args:
        package: Package with a folder `templates`.
        filters: Functions for its templates, under their own names.
        chars_max: Characters of a text that are printed; None for all.
    """

    def shown(value: object) -> object:
        """What a template prints: of text, invisible characters as escapes."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return formats.clean(value, len(value) if chars_max is None else chars_max)
        return value

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("arena.page")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    environment.filters |= {one.__name__: one for one in filters}
    environment.filters |= {"plus": _plus, "pieces": pieces}
    environment.globals |= {"version": __version__, "counted": counted}
    return environment


@cache
def base_style() -> str:
    """The style sheet that all pages share."""
    return (files("arena.page") / "static" / "base.css").read_text(encoding="utf-8")


def _plus(number: float, more: float) -> float:
    return round(number + more, 2)
