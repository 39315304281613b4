"""JSON documents from elsewhere: how much may be in one, and what is wrong with it first. Pure.

A document of some MB can name a million things, and each costs a thousand times its bytes once it
is a model, or an error about one. What is in a document is counted in its bytes, before it is
parsed; the entries of a map are then read one by one, up to the first that is wrong.
"""

from collections.abc import Callable

from pydantic import BaseModel, ValidationError

OBJECTS_MAX = 50_000
KEYS_MAX = 500_000
ITEMS_MAX = 2_000_000
TEXT_CHARS_MAX = 5_000
"""A text in a document: a path, a version, a digest."""
BOUNDS = ((b"{", OBJECTS_MAX, "objects"), (b":", KEYS_MAX, "keys"), (b",", ITEMS_MAX, "items"))


def check_counts(content: bytes) -> None:
    """Refuse a document that holds too much; marks in its texts count, too.

    Raises:
        ValueError: It does, in words.
    """
    for mark, count_max, what in BOUNDS:
        if (count := content.count(mark)) > count_max:
            raise ValueError(f"it holds about {count:,} {what}, the limit is {count_max:,}")


def validate_each(model: type[BaseModel], count_max: int) -> Callable[[object], object]:
    """A validator that runs before a field's own: every entry of a map is of a model.

    Args:
        model: Of the entries.
        count_max: How many there may be.
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
    """The first thing wrong with a document, on one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:80] for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")[:200]
    return f"{place}: {text}" if place else text
