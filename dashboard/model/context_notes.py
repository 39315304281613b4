"""The dated context of the newest snapshot: news, sentiment and token facts. Pure."""

from arena.messages import ContextItem, MarketSnapshot
from dashboard.model.results import ContextNote, ContextNotes
from dashboard.model.view import ArenaView

WHOLE_MARKET = "market"


def context_notes(view: ArenaView) -> ContextNotes:
    """The items of the newest snapshot, the newest first; at most what a snapshot holds."""
    newest = view.market.newest
    if newest is None:
        return ContextNotes(as_of=None, simulated=False, items=())
    items = sorted(newest.context, key=lambda one: (one.product_id, one.kind, one.item_id))
    items.sort(key=lambda one: one.published_at, reverse=True)
    notes = tuple(_note(one, newest) for one in items)
    return ContextNotes(as_of=newest.as_of, simulated=newest.simulated, items=notes)


def _note(item: ContextItem, snapshot: MarketSnapshot) -> ContextNote:
    facts = ", ".join(f"{name} {value}" for name, value in item.facts.items())
    return ContextNote(
        item_id=item.item_id,
        product_id=item.product_id,
        about=item.product_id or WHOLE_MARKET,
        kind=item.kind,
        published_at=item.published_at,
        age_s=round((snapshot.as_of - item.published_at).total_seconds(), 1),
        source=item.source,
        url=item.url,
        title=item.title,
        text=item.text,
        sentiment=item.sentiment,
        score=item.score,
        facts=item.facts,
        words=". ".join(part for part in (item.title, item.text, facts) if part),
    )
