"""The errors of the books.

ArenaError
├── BrokenBooks             the books contradict the log or their own rules          exit 1
├── BooksInUse              another process writes these books                       exit 1
├── UsageError
│   └── BooksMisconfigured  wrong address, file or login; waiting does not help      exit 2
└── DependencyMissing
    └── BooksUnavailable    the database does not answer, is full, or is missing     exit 3
"""

from arena.errors import ArenaError, DependencyMissing, UsageError


class BrokenBooks(ArenaError):
    """The database refused a row, or the books differ from the log."""


class BooksInUse(ArenaError):
    """Another process holds the lock of these books."""


class BooksMisconfigured(UsageError):
    """Books cannot be kept at this location, or the login is refused; only other settings help."""


class BooksUnavailable(DependencyMissing):
    """The database did not execute a statement; it may be full, locked or down."""
