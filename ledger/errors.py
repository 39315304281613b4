"""What can be wrong with the books themselves.

ArenaError
├── BrokenBooks     the books hold, or were given, what sound books never hold       exit 1
├── BooksInUse      another process writes these books                               exit 1
├── UsageError
│   └── BooksRefused the address, the file or the login is wrong; waiting does not help    exit 2
└── DependencyMissing
    └── BooksGone   the database does not answer, is full, or is not there           exit 3
"""

from arena.errors import ArenaError, DependencyMissing, UsageError


class BrokenBooks(ArenaError):
    """A row the database refused, or rows that are not what the log says."""


class BooksInUse(ArenaError):
    """Another process holds the right to write these books."""


class BooksMisconfigured(UsageError):
    """The place cannot hold books, or refuses this login: only other settings help."""


class BooksUnavailable(DependencyMissing):
    """The database did not take a write or answer a question; it may be full, locked or down."""
