"""Renders pages and parts of pages from typed results. Pure.

Every text is escaped, and its invisible characters are shown as escapes. A page is whole without
scripts; `static/page.js` asks for parts of it again when the arena changes.
"""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import quote

from jinja2 import Environment

from arena.page.environment import page_environment
from dashboard.web.page import coaching, formats

FILTERS = (
    formats.pct, formats.share, formats.interval, formats.ranks, formats.money, formats.gain,
    formats.quantity, formats.price, formats.cost, formats.bps, formats.duration, formats.indicator,
    formats.milliseconds, formats.clock, formats.stamp, formats.iso, formats.at_ms,
    formats.shown_model, formats.span, formats.not_asked, formats.gates_saved, formats.by_limit,
    formats.order_words, formats.step_words, coaching.score, coaching.trend, coaching.short,
)  # fmt: skip

TEXT_CHARS_MAX = 20_000
"""Characters of one text on a page; the rest is in the API."""


def page(name: str, context: Mapping[str, object]) -> str:
    """Render a whole page.

    Args:
        name: Name of the page: live, agent, turn, nodes, runs, verify, login or error.
        context: What its template needs: see `dashboard.web.page.contexts`.
    """
    return _environment().get_template(f"{name}.html.j2").render(context)


def page_parts(names: Sequence[str], context: Mapping[str, object]) -> str:
    """Render parts of a page, one after the other.

    Args:
        names: Names of parts.
        context: What the whole page needs.
    """
    templates = (_environment().get_template(f"parts/{name}.html.j2") for name in names)
    return "\n".join(template.render(context) for template in templates)


@cache
def _environment() -> Environment:
    environment = page_environment("dashboard.web.page", FILTERS, chars_max=TEXT_CHARS_MAX)
    environment.filters |= {"path": _path, "record_text": _record_text}
    return environment


def _path(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _record_text(value: str) -> str:
    """The bytes of a record, from base64, as text."""
    return base64.b64decode(value).decode(errors="replace")
