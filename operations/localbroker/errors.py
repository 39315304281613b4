"""Errors of starting a local broker, below `DependencyMissing` of the arena's own tree.

DependencyMissing
├── FetchFailed     no network, or no file for this machine; the fallback may work
├── PortTaken       another process listens on the port
└── FileRefused     a fetched file is not the one in the lock; there is no fallback
"""

from arena.errors import DependencyMissing


class FetchFailed(DependencyMissing):
    """A file could not be fetched, or does not run on this machine."""


class PortTaken(DependencyMissing):
    """Another process listens on the requested port."""


class FileRefused(DependencyMissing):
    """A file does not have the SHA-256 of the lock; it is not used."""
