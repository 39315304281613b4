"""A base class for context managers that stop what they started."""

from types import TracebackType
from typing import Self


class StopOnExit:
    """A context manager that calls `stop` at the end of its block."""

    def __enter__(self) -> Self:
        """Return the object itself; entering the block starts nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Call `stop`."""
        self.stop()

    def stop(self) -> None:
        """Stop what was started; does nothing if nothing runs."""
        raise NotImplementedError
