"""Limits for JSON documents from untrusted sources, and their first error. Pure.

A document of some MB can have a million entries, and each takes a thousand times its bytes as a
model or as an error. So entries are counted in the bytes before the document is parsed, and the
entries of a map are validated one by one, up to the first error.
"""

from collections.abc import Callable

from pydantic import BaseModel, ValidationError

OBJECTS_MAX = 50_000
KEYS_MAX = 500_000
ITEMS_MAX = 2_000_000
TEXT_CHARS_MAX = 5_000
"""Limit for a text in a document: a path, a version, a digest."""
BOUNDS = ((b"{", OBJECTS_MAX, "objects"), (b":", KEYS_MAX, "keys"), (b",", ITEMS_MAX, "items"))


def check_counts(content: bytes) -> None:
    """Refuse a document with too many entries; the characters inside texts count, too.

    Raises:
        ValueError: There are too many; the message has the count and the limit.
    """
    for mark, count_max, what in BOUNDS:
        if (count := content.count(mark)) > count_max:
            raise ValueError(f"it has about {count:,} {what}, the limit is {count_max:,}")


def validate_each(model: type[BaseModel], count_max: int) -> Callable[[object], object]:
    """A "before" validator for a map field that validates every entry as a model.

    Args:
        model: Model of the entries.
        count_max: Limit of their number.
    """

    def check(found: object) -> object:
        if not isinstance(found, dict):
            return found
        if len(found) > count_max:
            raise ValueError(f"{len(found):,} entries, the limit is {count_max:,}")
        return {key: one(key, value) for key, value in found.items()}

    def one(key: object, value: object) -> BaseModel:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise ValueError(f"{str(key)[:80]}: {first_error(error)}") from None

    return check


def first_error(error: ValidationError) -> str:
    """The first error of a document, on one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part)[:80] for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")[:200]
    return f"{field}: {text}" if field else text
