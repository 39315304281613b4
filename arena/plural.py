"""Counts in words: "1 run", "2 runs", "1,204 entries". Pure."""


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun in the right number.

    Args:
        number: How many; shown with separators.
        one: The noun for one of them.
        many: The noun for any other number; `one` with an s if not given.
    """
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """The noun alone, in the number of a count that is shown elsewhere."""
    return one if abs(number) == 1 else many or f"{one}s"
