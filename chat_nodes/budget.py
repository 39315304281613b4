"""A cap on the tokens of a chat node per UTC day: a pure count, restored from `llm.calls`.

Calls that are under way when the budget is spent are still paid for and answered; the next is
refused in words the agent can read. Tokens count as the provider reports them; if it reports none,
as they were estimated.
"""

from datetime import UTC, date, datetime


class DailyBudget:
    """Tokens spent today against a limit.

    Args:
        limit_tokens: Prompt and completion tokens per UTC day; 0 is no limit.
    """

    def __init__(self, limit_tokens: int) -> None:
        """Nothing is spent yet."""
        self.limit_tokens = limit_tokens
        self._day: date | None = None
        self._used = 0
        self._estimated = False

    def reset(self) -> None:
        """Forget what was counted, before it is counted again from the log."""
        self._day, self._used, self._estimated = None, 0, False

    def add(self, tokens: int, at: datetime, *, estimated: bool = False) -> None:
        """Count the tokens of a call that ended at a wall time; an earlier day's count no more.

        Args:
            tokens: Of prompt and answer.
            at: When the call ended.
            estimated: The server did not count them.
        """
        day = at.astimezone(UTC).date()
        if self._day is None or day > self._day:
            self._day, self._used, self._estimated = day, 0, False
        if day == self._day:
            self._used += tokens
            self._estimated = self._estimated or estimated

    def used(self, now: datetime) -> int:
        """Tokens spent on the UTC day of `now`."""
        return self._used if self._day == now.astimezone(UTC).date() else 0

    def refusal(self, now: datetime) -> str:
        """Why no call may be made now; "" where one may."""
        used = self.used(now)
        if not self.limit_tokens or used < self.limit_tokens:
            return ""
        how = ", estimated because the server does not count them" if self._estimated else ""
        return (
            f"daily budget of {self.limit_tokens:,} tokens is spent (used {used:,}{how}); "
            "resets at 00:00 UTC"
        )
