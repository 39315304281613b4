"""One line of a file of dated context, as items. Pure.

A line is a JSON object (`arena.context.schema` has its schema). It makes one item, or one per
product if it names several. Unknown fields are ignored. Texts become visible and are put on one
line. What is wrong is refused, never cut or guessed: `LineRefused` has the value and the remedy.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, NoReturn, get_args

from pydantic import ValidationError

from arena import ids
from arena.context.times import EPOCH, parse_after, parse_time
from arena.errors import UsageError
from arena.messages import ContextItem, ContextKind, Mood
from arena.messages.context import (
    FACT_CHARS_MAX,
    FACT_NAME_CHARS_MAX,
    FACTS_MAX,
    SOURCE_CHARS_MAX,
    TEXT_CHARS_MAX,
    TITLE_CHARS_MAX,
    URL_CHARS_MAX,
)
from arena.money import decimal_text
from arena.visible_text import visible_line

LINE_BYTES_MAX: Final = 16_384
PRODUCTS_MAX: Final = 50
ID_CHARS_MAX: Final = 64
SCORE_DIGITS: Final = 6
SHOWN_CHARS: Final = 60
KINDS: Final[tuple[str, ...]] = get_args(ContextKind)
MOODS: Final[tuple[str, ...]] = get_args(Mood)
PRODUCT_PATTERN: Final = r"(?:[a-z][a-z0-9]{0,19}:)?[A-Z0-9]{1,24}(?:-[A-Z0-9]{1,10})?"
URL_PATTERN: Final = r"https?://[!-~]+"
FACT_NAME_PATTERN: Final = rf"[a-z][a-z0-9_]{{0,{FACT_NAME_CHARS_MAX - 1}}}"
TEXTS: Final = {"source": SOURCE_CHARS_MAX, "title": TITLE_CHARS_MAX, "text": TEXT_CHARS_MAX}
"""Fields of free text -> most characters, after cleaning."""

Fields = Mapping[str, Any]  # Any: any value of JSON


class LineRefused(UsageError):
    """A line that makes no item: the message has the field and the value, and the remedy."""


class ParsedLine(NamedTuple):
    """A line that can be used.

    Attributes:
        items: Its items.
        is_relative: True if their time counts from the first snapshot (`after`).
    """

    items: tuple[ContextItem, ...]
    is_relative: bool


def parse_line(line: bytes, first: datetime | None = None) -> ParsedLine:
    """Parse a line.

    Args:
        line: The line, with or without its end.
        first: Venue time of the first snapshot, from which `after` counts; None if the market is
            not simulated, and then `after` is refused.

    Raises:
        LineRefused: It cannot be used.
    """
    fields = _read_object(line)
    product_ids = _products(fields)
    kind = _kind(fields)
    values: dict[str, Any] = {  # Any: the message checks its fields
        "kind": kind,
        "published_at": _published_at(fields, first),
        "url": _url(fields),
        "sentiment": _sentiment(fields),
        "score": _score(fields),
        "facts": _facts(fields),
        **{name: _text(fields, name, chars_max) for name, chars_max in TEXTS.items()},
    }
    _require_content(kind, values)
    own = _own_id(fields)
    found = []
    for product_id in product_ids:
        suffix = f"@{product_id}" if len(product_ids) > 1 else ""
        item_id = f"{own}{suffix}" if own else _derived_id(product_id, fields, values)
        try:
            item = ContextItem.model_validate(
                values | {"item_id": item_id, "product_id": product_id}
            )
        except ValidationError as error:  # A bound of the message that is not checked above.
            first_error = error.errors(include_url=False)[0]
            _refuse(
                ".".join(map(str, first_error["loc"])),
                first_error["msg"].removeprefix("Value error, "),
                "change it",
            )
        found.append(item)
    return ParsedLine(tuple(found), fields.get("after") is not None)


def content_of(item: ContextItem, *, with_time: bool = True) -> bytes:
    """Digest of an item without the time at which it was received.

    Args:
        item: The item.
        with_time: False to leave out its time of publication, too: that of a relative item follows
            from the market, whose first time a restart before the first snapshot changes.
    """
    time = item.published_at if with_time else EPOCH
    plain = item.model_copy(update={"received_at": None, "published_at": time})
    return hashlib.blake2b(plain.model_dump_json().encode(), digest_size=16).digest()


def _refuse(field: str, what: str, remedy: str) -> NoReturn:
    raise LineRefused(f"{field}: {what}", remedy=remedy)


def _read_object(line: bytes) -> Fields:
    if len(line) > LINE_BYTES_MAX:
        _refuse("line", f"it has more than {LINE_BYTES_MAX:,} bytes", "shorten its texts")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start + 1} is not UTF-8"
        raise LineRefused(f"line: {what}", remedy="save the file as UTF-8") from None
    try:
        found = json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except LineRefused:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        remedy = "write one JSON object per line, without a comma after it"
        raise LineRefused(f"line: it is not JSON: {str(error)[:200]}", remedy=remedy) from None
    if not isinstance(found, dict):
        _refuse("line", f"it is {_shown(found)}, not an object", "write a JSON object per line")
    return found


def _no_constant(text: str) -> NoReturn:
    _refuse("line", f"{text} is not JSON", "write a number, or leave the field out")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: any value of JSON
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(visible_line(twice[:SHOWN_CHARS]), "it is there twice", "write each field once")
    return found


def _products(fields: Fields) -> tuple[str, ...]:
    """The products of a line; ("",) for the whole market."""
    fit = ("product", "product_id", "products")
    named = [name for name in fit if fields.get(name) not in (None, "")]
    if len(named) > 1:
        _refuse(named[1], f"{named[0]} is there too", "name the products in one field")
    value = fields[named[0]] if named else ""
    values = value if isinstance(value, list) else [value]
    if len(values) > PRODUCTS_MAX:
        _refuse(named[0], f"it has {len(values)} products", f"name at most {PRODUCTS_MAX} a line")
    remedy = "write an id such as BTC-USD or binance:BTCUSDT, or no product for the whole market"
    if not values:
        _refuse(named[0], "it is an empty list", remedy)
    for product_id in values:
        if product_id == "" and not named:
            continue
        if not isinstance(product_id, str) or not re.fullmatch(PRODUCT_PATTERN, product_id):
            _refuse(named[0], f"{_shown(product_id)} is not the id of a product", remedy)
    return tuple(dict.fromkeys(values))


def _kind(fields: Fields) -> str:
    kind = fields.get("kind")
    if kind not in KINDS:
        what = "is missing" if kind is None else f"{_shown(kind)} is unknown"
        _refuse("kind", what, f"write {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return str(kind)


def _published_at(fields: Fields, first: datetime | None) -> datetime:
    given = [name for name in ("published_at", "after") if fields.get(name) is not None]
    if not given:
        remedy = "write when it was published, such as 2026-01-01T09:30:00Z"
        _refuse("published_at", "is missing: an item without a date is never shown", remedy)
    if len(given) > 1:
        _refuse("after", "published_at is there too", "give one of the two")
    try:
        if given == ["published_at"]:
            return parse_time(fields["published_at"])
        after = parse_after(fields["after"])
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        _refuse(given[0], what, remedy)
    if first is None:
        what = "it counts from the first snapshot of a simulated market, and this one is real"
        _refuse("after", what, "write published_at instead")
    return first + after


def _text(fields: Fields, name: str, chars_max: int) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        _refuse(name, f"it is {_shown(value)}", "write a text")
    return _clean(name, value, chars_max)


def _clean(name: str, value: str, chars_max: int) -> str:
    """A text on one line, its invisible characters escaped.

    Raises:
        LineRefused: It is too long.
    """
    text = visible_line(" ".join(value[: 2 * chars_max].split()))
    if len(value) > 2 * chars_max or len(text) > chars_max:
        chars = max(len(value), len(text))
        _refuse(name, f"it has {chars:,} characters", f"write at most {chars_max:,}")
    return text


def _url(fields: Fields) -> str:
    url = _text(fields, "url", URL_CHARS_MAX)
    if url and not re.fullmatch(URL_PATTERN, url):
        _refuse("url", f"{_shown(url)} is not an address", "write http:// or https:// before it")
    return url


def _sentiment(fields: Fields) -> str | None:
    value = fields.get("sentiment")
    if value is not None and value not in MOODS:
        _refuse("sentiment", f"{_shown(value)} is unknown", f"write one of {', '.join(MOODS)}")
    return value


def _score(fields: Fields) -> Decimal | None:
    value = fields.get("score")
    if value is None:
        return None
    remedy = "write a number from -1 (bearish) to 1 (bullish)"
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        _refuse("score", f"it is {_shown(value)}", remedy)
    try:
        score = Decimal(str(value)[:40])
    except ArithmeticError:
        _refuse("score", f"{_shown(value)} is not a number", remedy)
    if not (score.is_finite() and -1 <= score <= 1):
        _refuse("score", f"{_shown(value)} is out of range", remedy)
    exact = score.quantize(Decimal(1).scaleb(-SCORE_DIGITS))
    return exact.normalize() if exact else Decimal(0)


def _facts(fields: Fields) -> dict[str, str]:
    value = fields.get("facts")
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse("facts", f"it is {_shown(value)}", 'write an object: {"max_supply": "21000000"}')
    if len(value) > FACTS_MAX:
        _refuse("facts", f"it has {len(value)} facts", f"write at most {FACTS_MAX}")
    found = {}
    for name, fact in value.items():
        if not re.fullmatch(FACT_NAME_PATTERN, name):
            remedy = f"use at most {FACT_NAME_CHARS_MAX} small letters, digits and _"
            _refuse("facts", f"{_shown(name)} is not the name of a fact", remedy)
        if isinstance(fact, bool) or not isinstance(fact, str | int | Decimal):
            _refuse(f"facts.{name}", f"it is {_shown(fact)}", "write a text or a number")
        if isinstance(fact, Decimal) and abs(fact.adjusted()) > FACT_CHARS_MAX:
            _refuse(f"facts.{name}", f"it is {fact}", f"write at most {FACT_CHARS_MAX} digits")
        text = decimal_text(fact) if isinstance(fact, Decimal) else str(fact)
        found[name] = _clean(f"facts.{name}", text, FACT_CHARS_MAX)
    return dict(sorted(found.items()))


def _require_content(kind: str, values: Fields) -> None:
    """Require that an item says something of its kind."""
    if kind == "news" and not (values["title"] or values["text"]):
        _refuse("title", "news has neither a title nor a text", "write at least one of them")
    if kind == "sentiment" and values["sentiment"] is None and values["score"] is None:
        remedy = f"write sentiment ({', '.join(MOODS)}) or score"
        _refuse("sentiment", "there is neither a sentiment nor a score", remedy)
    if kind == "token_facts" and not values["facts"]:
        _refuse("facts", "token_facts has no facts", 'write {"facts": {"max_supply": "21000000"}}')


def _own_id(fields: Fields) -> str:
    value = fields.get("id")
    if value is None:
        return ""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not re.fullmatch(rf"[!-~]{{1,{ID_CHARS_MAX}}}", text):
        remedy = f"use 1 to {ID_CHARS_MAX} letters, digits and signs, without blanks"
        _refuse("id", f"{_shown(value)} cannot be an id", remedy)
    return text


def _derived_id(product_id: str, fields: Fields, values: Fields) -> str:
    """An id for a line without one: the same for the same product, kind, time and text."""
    at = fields.get("after") or values["published_at"].isoformat()
    texts = (values["title"], values["text"], values["sentiment"], values["score"])
    facts = json.dumps(values["facts"])
    return ids.derive("context", product_id, values["kind"], at, values["source"], *texts, facts)


def _shown(value: object) -> str:
    """A value in an error, short and visible."""
    try:
        plain = isinstance(value, str | Decimal)
        text = str(value) if plain else json.dumps(value, default=str)
    except RecursionError:
        text = "nested too deep"
    short = text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."
    return visible_line(repr(short) if isinstance(value, str) else short)
