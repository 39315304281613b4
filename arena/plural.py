"""Counts in words: "1 run", "2 runs", "1,204 entries". Pure."""


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun in singular or plural.

    Args:
        number: The count, shown with separators.
        one: The singular.
        many: The plural; `one` with an s if not given.
    """
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """The singular or plural of a noun, for a count that is shown elsewhere."""
    return one if abs(number) == 1 else many or f"{one}s"
