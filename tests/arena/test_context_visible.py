"""Which items a snapshot shows: the rule, its bounds, and that a cut log shows the same."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.context import visible as visible_module
from arena.context.visible import ITEMS_MAX, SHOWN_FOR, SHOWN_MAX, ContextBook
from arena.messages import ContextItem, ContextKind

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def item(item_id: str = "a", at: datetime = AT, **fields: object) -> ContextItem:
    """An item of news."""
    base = {"item_id": item_id, "kind": "news", "published_at": at, "title": item_id}
    return ContextItem.model_validate(base | fields)


def ids(found: tuple[ContextItem, ...]) -> list[str]:
    """The ids of items."""
    return [one.item_id for one in found]


def visible_items(
    items: Iterable[ContextItem], as_of: datetime, product_ids: Collection[str] | None = None
) -> tuple[ContextItem, ...]:
    """The items that a snapshot of these products shows, by default of all that items have."""
    book = ContextBook()
    named = set()
    for one in items:
        book.take(one)
        named.add(one.product_id)
    return book.visible(as_of, named if product_ids is None else product_ids)


def test_visible_from_its_publication_on() -> None:
    """At that very instant it is visible, one microsecond earlier it is not."""
    assert ids(visible_items([item()], AT)) == ["a"]
    assert visible_items([item()], AT - MICROSECOND) == ()
    assert visible_items([item(at=AT + MICROSECOND)], AT) == ()


def test_news_ends_after_a_day_and_facts_do_not() -> None:
    """The newest facts of a product are shown however old they are."""
    old = AT - SHOWN_FOR
    facts = [
        item(f"f{days}", AT - timedelta(days=days), kind="token_facts", facts={"a": "b"})
        for days in (400, 300)
    ]
    items = [item("last", old), item("gone", old - MICROSECOND), *facts]

    assert ids(visible_items(items, AT)) == ["last", "f300"]
    assert ids(visible_items(items, AT - timedelta(days=350))) == ["f400"]


def test_a_correction_never_changes_what_was_shown() -> None:
    """The newest record that is published by then counts, at every time."""
    first = item(at=AT, title="wrong")
    second = item(at=AT + timedelta(hours=1), title="right")
    third = item(at=AT, title="right at once")

    def titles(items: list[ContextItem], minutes: int) -> list[str]:
        found = visible_items(items, AT + timedelta(minutes=minutes))
        return [one.title for one in found]

    assert titles([first, second], 30) == ["wrong"]
    assert titles([first, second], 60) == ["right"]
    assert titles([first, second, third], 30) == ["right at once"]
    assert titles([first, second, third], 90) == ["right at once"]


def test_a_correction_to_an_old_date_removes_the_item() -> None:
    """Also one that is older than what is shown."""
    assert visible_items([item(), item(at=AT - timedelta(days=2))], AT) == ()


@pytest.mark.parametrize("kind", SHOWN_MAX)
def test_the_newest_of_each_kind_and_product_are_shown(kind: ContextKind) -> None:
    """At most the stated number; the others of the kind are older."""
    fields = {"kind": kind, "facts": {"a": "b"}, "score": "0.5"}
    items = [
        item(f"{product}{minutes}", AT - timedelta(minutes=minutes), product_id=product, **fields)
        for minutes in range(10)
        for product in ("BTC-USD", "")
    ]
    found = visible_items(items, AT)
    most = SHOWN_MAX[kind]

    expected = [f"{p}{n}" for p in ("", "BTC-USD") for n in range(most)]
    assert ids(found) == expected
    assert ids(visible_items(reversed(items), AT)) == expected


def test_items_of_other_products_are_left_out() -> None:
    """A snapshot shows items of its own products and of the whole market."""
    items = [item("b", product_id="BTC-USD"), item("x", product_id="X-USD"), item("m")]

    assert ids(visible_items(items, AT, ["BTC-USD"])) == ["m", "b"]


def test_a_snapshot_has_a_bound() -> None:
    """In number and in characters; the newest are in it."""
    items = [
        item(f"{n:04}", AT - timedelta(seconds=n), product_id=f"P{n}-USD", text="x" * 900)
        for n in range(300)
    ]
    assert ids(visible_items(items, AT)) == [
        one.item_id for one in sorted(items[:65], key=lambda one: one.product_id)
    ]
    short = [one.model_copy(update={"text": ""}) for one in items]
    assert len(visible_items(short, AT)) == ITEMS_MAX


def test_items_in_snapshots_do_not_say_when_they_were_received() -> None:
    """That time differs from run to run."""
    (found,) = visible_items([item(received_at=AT)], AT)

    assert found.received_at is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The earliest published records are dropped first, in whatever order they came."""
    monkeypatch.setattr(visible_module, "RECORDS_MAX", 5)
    book = ContextBook()
    for n in (3, 1, 4, 0, 9, 2, 6, 5):
        book.take(item(str(n), AT + timedelta(minutes=n), kind="sentiment", score="0"))

    assert len(book) == 5
    assert ids(book.visible(AT + timedelta(hours=1), [])) == ["9", "6", "5"]


@st.composite
def logs(draw: st.DrawFn) -> list[ContextItem]:
    """Records with few ids, products and times, so that they collide."""
    return [
        item(
            draw(st.sampled_from("abcde")),
            AT + timedelta(hours=draw(st.integers(-30, 30))),
            kind=draw(st.sampled_from(sorted(SHOWN_MAX))),
            product_id=draw(st.sampled_from(["", "BTC-USD"])),
            title=str(n),
        )
        for n in range(draw(st.integers(0, 25)))
    ]


@given(logs(), st.integers(-30, 30))
def test_it_is_the_rule_of_the_document(records: list[ContextItem], hour: int) -> None:
    """By the plain rule, and the same from the whole log and from the log cut at that time."""
    as_of = AT + timedelta(hours=hour)
    current = {one.item_id: one for one in records if one.published_at <= as_of}
    young = [
        one for one in current.values()
        if one.kind == "token_facts" or as_of - one.published_at <= SHOWN_FOR
    ]  # fmt: skip
    expected = []
    for product_id in ("", "BTC-USD"):
        for kind, most in sorted(SHOWN_MAX.items()):
            group = [one for one in young if (one.product_id, one.kind) == (product_id, kind)]
            group.sort(key=lambda one: one.item_id)
            group.sort(key=lambda one: one.published_at, reverse=True)
            expected += group[:most]
    found = visible_items(records, as_of)

    assert [one.title for one in found] == [one.title for one in expected]
    assert found == visible_items([one for one in records if one.published_at <= as_of], as_of)
    for first, second in pairwise(found):
        assert (first.product_id, first.kind) <= (second.product_id, second.kind)
