"""Lines of dated context: what makes an item, and what is refused with which remedy."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.context.files import FileTail, check_file, files_in, read_lines
from arena.context.lines import LINE_BYTES_MAX, LineRefused, content_of, parse_line
from arena.context.schema import line_schema, schema_text
from arena.context.times import parse_after, parse_time
from arena.errors import UsageError

DOCUMENT = Path(__file__).parents[2] / "docs" / "context.md"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NEWS = {
    "product": "BTC-USD",
    "kind": "news",
    "published_at": "2026-01-01T09:30:00Z",
    "title": "A title",
}


def line(**fields: object) -> bytes:
    """A line of news with some fields changed; None removes a field."""
    found = {name: value for name, value in (NEWS | fields).items() if value is not None}
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        ("2026-01-01T09:30:00Z", 0),
        ("2026-01-01t10:30:00+01:00", 0),
        ("2026-01-01 09:30Z", 0),
        (1767259800, 0),
        ("1767259800", 0),
        (1767259800000, 0),
        (Decimal("1767259800.25"), 250_000),
        ("2026-01-01T09:30:00.000001Z", 1),
        ("2026-01-01T09:30:00.0000001Z", 1),
    ],
)
def test_unambiguous_times_are_accepted(value: object, micros: int) -> None:
    """Text with an offset, Unix seconds and milliseconds; a finer fraction is rounded up."""
    expected = datetime(2026, 1, 1, 9, 30, tzinfo=UTC) + timedelta(microseconds=micros)

    assert parse_time(value) == expected


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("2026-01-01T09:30:00", "has no offset"),
        ("2026-01-01", "has no time of day"),
        ("yesterday", "is not a time"),
        ("2026-13-01T09:30:00Z", "month must be in"),
        (1767259800000000, "is not from 2001"),
        (12, "is not from 2001"),
        ("9999-12-31T23:59:59-23:59", "is not from 2001"),
        (True, "is True"),
        (None, "is None"),
        ([1], "is"),
    ],
)
def test_ambiguous_times_are_refused(value: object, what: str) -> None:
    """The error names the value and says what to write."""
    with pytest.raises(ValueError, match=f"{what}.*; write a time with an offset"):
        parse_time(value)


def test_durations() -> None:
    """ISO 8601 durations without months and years, also before the first snapshot."""
    assert parse_after("PT1H30M") == timedelta(minutes=90)
    assert parse_after("-P1DT5S") == -timedelta(days=1, seconds=5)
    for wrong in ("P", "PT", "5m", "P1M", 5, "P9999D"):
        with pytest.raises(ValueError, match="write a"):
            parse_after(wrong)


def test_line_makes_an_item_per_product() -> None:
    """Each product has an item of its own, with an id that follows from the line's."""
    items, _ = parse_line(line(product=None, products=["BTC-USD", "binance:BTCUSDT"], id="a1"))

    assert [(i.item_id, i.product_id) for i in items] == [
        ("a1@BTC-USD", "BTC-USD"),
        ("a1@binance:BTCUSDT", "binance:BTCUSDT"),
    ]
    (whole,) = parse_line(line(product=None, id=7)).items
    assert (whole.item_id, whole.product_id) == ("7", "")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"product": None, "products": []}, "products: it is an empty list; write an id"),
        ({"product": False}, "product: false is not the id of a product"),
        ({"product": 0}, "product: 0 is not the id of a product"),
    ],
)
def test_faulty_product_is_not_the_whole_market(changes: dict[str, object], what: str) -> None:
    """A program that found no product for an item does not show it beside every product."""
    with pytest.raises(LineRefused, match=what):
        parse_line(line(**changes))


def test_ids_are_derived_from_the_content() -> None:
    """The same line has the same id; another product, time or text has another one."""
    ids = [
        parse_line(line(**changes)).items[0].item_id
        for changes in ({}, {}, {"product": "ETH-USD"}, {"title": "B"}, {"text": "more"},
                        {"published_at": "2026-01-01T09:30:01Z"}, {"source": "Wire"})
    ]  # fmt: skip

    assert ids[0] == ids[1]
    assert len(set(ids)) == 6


def test_texts_are_cleaned_and_numbers_are_exact() -> None:
    """Texts are on one visible line; facts are texts, sorted by name; scores have no zeros."""
    facts = '{"unlocks": "none", "max_supply": 21000000, "market_cap": 1.50e3}'
    text = line(kind="token_facts", title=" a\n## b\u202e ").decode()[:-1] + f', "facts": {facts}}}'
    (item,) = parse_line(text.encode()).items
    (mood,) = parse_line(line(kind="sentiment", score=-0.50, title=None)).items

    assert item.title == "a ## b\\u202e"
    assert list(item.facts.items()) == [
        ("market_cap", "1500"), ("max_supply", "21000000"), ("unlocks", "none"),
    ]  # fmt: skip
    assert str(mood.score) == "-0.5"


def test_after_counts_from_the_first_snapshot_of_a_simulated_market() -> None:
    """In a real market there is nothing that it could count from."""
    relative = line(published_at=None, after="PT5M")
    (item,) = parse_line(relative, FIRST).items
    again = parse_line(relative, FIRST + timedelta(days=1)).items[0]

    assert item.published_at == FIRST + timedelta(minutes=5)
    assert item.item_id == again.item_id
    assert content_of(item) != content_of(again)
    assert content_of(item, with_time=False) == content_of(again, with_time=False)
    with pytest.raises(LineRefused, match="after: .*; write published_at"):
        parse_line(relative)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"published_at": None}, "published_at: is missing.*; write when"),
        ({"after": "PT1M"}, "after: published_at is there too; give one"),
        ({"kind": "rumour"}, "kind: 'rumour' is unknown; write news, sentiment or token_facts"),
        ({"kind": None}, "kind: is missing; write news"),
        ({"title": None}, "title: news has neither a title nor a text; write"),
        ({"title": 5}, "title: it is 5; write a text"),
        ({"title": "x" * 201}, "title: it has 201 characters; write at most 200"),
        ({"text": "\u202e" * 900}, "text: it has 5,400 characters; write at most 1,000"),
        ({"source": "x" * 999}, "source: it has 999 characters; write at most 80"),
        ({"product": "btc"}, "product: 'btc' is not the id of a product; write an id"),
        ({"product": "BTC-USD\n"}, "product: .* is not the id"),
        ({"products": ["BTC-USD"]}, "products: product is there too"),
        ({"product": None, "products": ["X-USD"] * 51}, "products: it has 51 products"),
        ({"product": ["BTC-USD", 5]}, "product: 5 is not the id"),
        ({"url": "javascript:alert(1)"}, "url: .* is not an address; write http"),
        ({"sentiment": "up"}, "sentiment: 'up' is unknown; write one of bullish"),
        ({"score": 1.5}, "score: .* is out of range; write a number from -1"),
        ({"score": "NaN"}, "score: 'NaN' is out of range"),
        ({"score": True}, "score: it is true"),
        ({"score": "high"}, "score: 'high' is not a number"),
        ({"kind": "sentiment"}, "sentiment: there is neither a sentiment nor a score"),
        ({"kind": "token_facts"}, "facts: token_facts has no facts"),
        ({"facts": ["a"]}, "facts: it is .*; write an object"),
        ({"facts": {"Max Supply": 1}}, "facts: 'Max Supply' is not the name of a fact; use"),
        ({"facts": {"a": None}}, "facts.a: it is null; write a text or a number"),
        ({"facts": {"a": "x" * 81}}, "facts.a: it has 81 characters; write at most 80"),
        ({"facts": {f"f{i}": 1 for i in range(17)}}, "facts: it has 17 facts; write at most 16"),
        ({"id": "a b"}, "id: 'a b' cannot be an id; use 1 to 64"),
        ({"id": ""}, "id: '' cannot be an id"),
        ({"id": 1.5}, "id: 1.5 cannot be an id"),
    ],
)
def test_wrong_fields_are_refused(changes: dict[str, object], error: str) -> None:
    """The error names the field, the value and the remedy."""
    with pytest.raises(LineRefused, match=f"^{error}"):
        parse_line(line(**changes), FIRST)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\xff{}", "line: byte 1 is not UTF-8; save the file as UTF-8"),
        (b"not json", "line: it is not JSON.*; write one JSON object per line"),
        (b'{"kind": "news"},', "line: it is not JSON: Extra data"),
        (b"[1, 2]", "line: it is .1, 2., not an object"),
        (b'{"kind": "news", "kind": "news"}', "kind: it is there twice; write each field once"),
        (b'{"score": NaN}', "line: NaN is not JSON"),
        (b"[" * 16_000, "line: it is not JSON"),
        (b'{"score": ' + b"9" * 6_000 + b"}", "line: it is not JSON"),
        (b" " * (LINE_BYTES_MAX + 1), "line: it has more than 16,384 bytes; shorten"),
    ],
)
def test_lines_that_are_not_objects_are_refused(content: bytes, error: str) -> None:
    """Bytes of any kind give an error with a remedy."""
    with pytest.raises(LineRefused, match=f"^{error}"):
        parse_line(content)


def test_numbers_of_any_size_cost_no_memory() -> None:
    """An exponent does not become digits."""
    text = line(kind="token_facts").decode()[:-1] + ', "facts": {"a": 1e999999999}}'
    with pytest.raises(LineRefused, match="facts.a: it is 1E.999999999; write at most 80 digits"):
        parse_line(text.encode())


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_make_an_item_or_an_error(content: bytes) -> None:
    """Nothing else is raised."""
    with suppress(LineRefused):
        assert parse_line(content, FIRST)


def test_schema_has_the_fields_and_bounds_that_are_checked() -> None:
    """Every field of a line is in it; a text of the longest length is accepted, one more is not."""
    properties = line_schema()["properties"]
    bounds = {name: one["maxLength"] for name, one in properties.items() if "maxLength" in one}

    assert bounds.keys() == {"source", "url", "title", "text"}
    for name, chars_max in bounds.items():
        start = "https://" if name == "url" else ""
        longest = start + "x" * (chars_max - len(start))
        assert parse_line(line(**{name: longest}))
        with pytest.raises(LineRefused, match=f"^{name}: it has"):
            parse_line(line(**{name: longest + "x"}))
    known = set(NEWS) | {"id", "products", "after", "sentiment", "score", "facts", *bounds}
    assert properties.keys() == known


def test_schema_accepts_what_is_accepted() -> None:
    """Valid lines are valid by the schema, and what it can express is refused by it."""
    accepts = jsonschema_rs.validator_for(line_schema()).is_valid
    for valid in (
        NEWS,
        NEWS | {"product": "binance:BTCUSDT", "published_at": 1767259800, "id": "a"},
        {"kind": "sentiment", "score": -0.5, "after": "PT5M", "products": ["BTC-USD"]},
        {"kind": "token_facts", "after": "-P1D", "facts": {"max_supply": 21000000}},
    ):
        assert accepts(valid)
        assert parse_line(json.dumps(valid).encode(), FIRST)
    for wrong in ({"kind": "news"}, NEWS | {"after": "PT1M"}, NEWS | {"kind": "sentiment"}):
        assert not accepts(wrong)


def test_examples_in_the_document_are_accepted() -> None:
    """Every line of its examples makes an item."""
    text = DOCUMENT.read_text(encoding="utf-8")
    examples = [row for row in text.splitlines() if row.startswith('{"')]

    assert len(examples) >= 4
    for row in examples:
        assert parse_line(row.encode(), FIRST)


def test_the_document_has_the_schema() -> None:
    """`docs/context.md` repeats what `arena connector context --schema` prints."""
    assert schema_text() in DOCUMENT.read_text(encoding="utf-8")


def test_file_is_read_from_where_it_ended(tmp_path: Path) -> None:
    """New lines only; a half-written last line waits; empty lines count as lines."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\n\ntwo\r\nhal")
    tail = FileTail(path)

    assert [(found.number, found.content) for found in tail.read()] == [(1, b"one"), (3, b"two")]
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b"f\nnext")
    assert [(found.place, found.content) for found in tail.read()] == [("a.jsonl:4", b"half")]
    assert [found.content for found in tail.read(to_end=True)] == [b"next"]


def test_replaced_and_truncated_files_are_read_again(tmp_path: Path) -> None:
    """Whether the file is another one, shorter, or written again in place."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntwo\n")
    tail = FileTail(path)
    tail.read()

    path.write_bytes(b"1\n")
    assert [found.content for found in tail.read()] == [b"1"]
    other = tmp_path / "b"
    other.write_bytes(b"1\n2\n")
    other.replace(path)
    assert [found.content for found in tail.read()] == [b"1", b"2"]
    path.write_bytes(b"9\n8\n7\n")
    assert [found.content for found in tail.read()] == [b"9", b"8", b"7"]


def test_a_long_line_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    """Of the long one only the beginning is kept."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 3_000_000 + b"\n" + line() + b"\n")
    first, second = read_lines(path)

    assert first.too_long
    assert len(first.content) <= LINE_BYTES_MAX + 2
    with pytest.raises(LineRefused, match="more than"):
        first.parsed(None)
    assert len(second.parsed(None).items) == 1


def test_a_file_is_checked_before_a_start(tmp_path: Path) -> None:
    """The report has the number of items, and the place and error of the first bad lines."""
    path = tmp_path / "a.jsonl"
    bad = [b"{}"] * 7
    path.write_bytes(b"\n".join([line(), line(published_at=None, after="PT1M"), *bad]))

    report = check_file(path, simulated=True)
    assert (report.items, report.refused_count, len(report.refused)) == (2, 7, 5)
    assert report.refused[0].startswith("a.jsonl:3: kind: is missing; write news")
    assert check_file(path, simulated=False).refused_count == 8
    with pytest.raises(UsageError, match="cannot read .*none.jsonl"):
        check_file(tmp_path / "none.jsonl", simulated=True)
    with pytest.raises(UsageError, match="a folder, not a file"):
        check_file(tmp_path, simulated=True)


def test_files_of_a_folder(tmp_path: Path) -> None:
    """By name, those of JSON lines, without hidden ones."""
    for name in ("b.jsonl", "a.ndjson", ".c.jsonl", "d.txt"):
        (tmp_path / name).touch()

    assert [path.name for path in files_in(tmp_path)] == ["a.ndjson", "b.jsonl"]
    with pytest.raises(UsageError, match="cannot read the folder"):
        files_in(tmp_path / "none")
