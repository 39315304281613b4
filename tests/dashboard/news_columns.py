"""How each skin shows dated context."""

from arena.visible_text import visible
from dashboard.model.results import ContextNote
from dashboard.terminal.context_line import note_words
from dashboard.web.page import formats
from tests.dashboard.skin_columns import Column, fields, page_rows, rest

FIELDS = ("item_id", "about", "kind", "age_s", "source", "sentiment", "score", "words")


def _page_row(note: ContextNote) -> tuple[str, ...]:
    score = "" if note.score is None else f" {note.score}"
    mood = f" {note.sentiment}" if note.sentiment else ""
    kind = f"{note.kind.replace('_', ' ')}{mood}{score}"
    shown = (note.about, kind, formats.duration(note.age_s), note.source or "not given", note.words)
    return tuple(visible(cell).strip() for cell in shown)


CONTEXT_COLUMNS: dict[str, Column | str] = {
    "document": "it is about agents, not about the market",
    "screen": "it shows the newest item",
    "page": Column(page_rows("/", "context"), _page_row),
    "rest": fields(rest("context", "items"), *FIELDS),
    "short": "the short paths have portfolios, trades and prices",
}
NEWEST_COLUMNS: dict[str, Column | str] = {
    "document": "it is about agents, not about the market",
    "screen": Column(
        lambda s, _: [
            (line.strip("│ ").partition("  (+2 more")[0],)
            for line in s.screen.splitlines()
            if "  (+2 more)" in line
        ],
        lambda note: (visible(note_words(note)).strip(),),
    ),
    "page": "it shows all items",
    "rest": "it has all items",
    "short": "the short paths have portfolios, trades and prices",
}
