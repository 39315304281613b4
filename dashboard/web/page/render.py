"""Draws a page from results of the read model. Pure."""

from collections.abc import Mapping

from jinja2 import Environment, StrictUndefined

TEMPLATE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ title }}</title>
<h1>{{ title }}: {{ name }}</h1>
<p id="verdict">{{ context.verdict.words if context.verdict else "" }}</p>
<table>{% for row in context.leaderboard.agents if context.leaderboard %}
<tr><td>{{ row.rank or "-" }}<td>{{ row.agent }}<td>{{ row.return_pct }}{% endfor %}</table>
"""


def page(name: str, context: Mapping[str, object]) -> str:
    """A page as HTML.

    Args:
        name: Name of the page: live, agent, turn, runs, nodes, verify, login or error.
        context: The results that it shows.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    shown = {"leaderboard": None, "verdict": None, **context}
    return environment.from_string(TEMPLATE).render(
        name=name, title=context["title"], context=shown
    )
