"""What can be wrong with the books themselves.

ArenaError
├── BrokenBooks     the books hold, or were given, what sound books never hold       exit 1
├── BooksInUse      another process writes these books                               exit 1
└── DependencyMissing
    └── BooksGone   the database does not answer, is full, or is not there           exit 3
"""

from arena.errors import ArenaError, DependencyMissing


class BrokenBooks(ArenaError):
    """A row the database refused, or rows that are not what the log says."""


class BooksInUse(ArenaError):
    """Another process holds the right to write these books."""


class BooksGone(DependencyMissing):
    """The database did not take a write or answer a question; it may be full, locked or down."""
