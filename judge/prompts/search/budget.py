"""The calls of a search: counted before they are made, and never more than were allowed. Pure."""

from dataclasses import dataclass

from arena.errors import ArenaError


class BudgetSpent(ArenaError):
    """More calls were asked for than are left."""


@dataclass(slots=True)
class CallBudget:
    """The calls that a search may make.

    Attributes:
        limit: Most calls of all kinds.
        held_back: Calls of these that are kept for later (`release`).
        spent: Calls so far.
    """

    limit: int
    held_back: int = 0
    spent: int = 0

    def __post_init__(self) -> None:
        """Check the limit.

        Raises:
            ValueError: A number is negative, or more is held back than there is.
        """
        if not 0 <= self.held_back <= self.limit:
            raise ValueError(f"{self.held_back} of {self.limit} calls cannot be held back")

    @property
    def free(self) -> int:
        """Calls that can be made now."""
        return self.limit - self.held_back - self.spent

    def take(self, calls: int) -> None:
        """Count calls that are about to be made.

        Raises:
            BudgetSpent: They are more than are free; none is counted.
            ValueError: The number is negative.
        """
        if calls < 0:
            raise ValueError(f"{calls} calls cannot be made")
        if calls > self.free:
            raise BudgetSpent(
                f"{calls} calls were asked for, and {self.free} of {self.limit} are left",
                remedy="raise --budget-calls",
            )
        self.spent += calls

    def release(self) -> None:
        """Make the calls free that were held back."""
        self.held_back = 0
