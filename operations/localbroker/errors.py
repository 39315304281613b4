"""What can go wrong between "start" and "ready", beyond the arena's own tree.

DependencyMissing
├── FetchFailed     no network, or nothing for this machine; the fallback may help
├── PortTaken       somebody listens there
└── FileRefused     a fetched file is not the one in the lock; nothing else is tried
"""

from arena.errors import DependencyMissing


class FetchFailed(DependencyMissing):
    """Something could not be fetched, or nothing that was fetched runs here."""


class PortTaken(DependencyMissing):
    """Another process listens on the port that was asked for."""


class FileRefused(DependencyMissing):
    """A file does not hold the bytes that the lock names; it is not used."""
