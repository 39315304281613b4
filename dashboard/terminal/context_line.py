"""The newest news on the screen: one line, if snapshots have dated context. Pure."""

from rich.text import Text

from dashboard import text
from dashboard.model.results import ContextNote
from dashboard.terminal.palette import QUIET


def context_line(notes: tuple[ContextNote, ...], width: int) -> list[Text]:
    """The newest item with its age, and how many others there are; no line without items."""
    if not notes:
        return []
    newest, others = notes[0], len(notes) - 1
    more = f"  (+{others} more)" if others else ""
    words = text.one_line(note_words(newest))
    room = max(20, width - len(more))
    cut = words if len(words) <= room else words[: room - 1] + "…"
    return [Text(f"{cut}{more}"[:width], style=QUIET)]


def note_words(note: ContextNote) -> str:
    """An item in words: "BTC-USD news, 12m00 ago, Example Wire: a title"."""
    about = [note.about, note.kind.replace("_", " ")]
    about += [note.sentiment] if note.sentiment else []
    about += [f"{note.score:f}"] if note.score is not None else []
    head = [" ".join(about), f"{text.age(note.age_s)} ago"]
    head += [note.source] if note.source else []
    return f"{', '.join(head)}: {note.words}"
