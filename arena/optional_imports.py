"""Imports of libraries without the optional libraries that they would load.

Some libraries import another one if it is installed, for a use that the arena does not have:
structlog imports rich, httpx click, alembic pygments, and pyarrow pandas at its first conversion.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from threading import get_ident
from types import ModuleType


class _Missing(MetaPathFinder):
    """Makes the import of one library fail in this thread; others may need it at this moment."""

    def __init__(self, library: str) -> None:
        self._library = library
        self._thread = get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname == self._library and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)


@contextmanager
def import_without(library: str) -> Iterator[None]:
    """Import other libraries as if this one were not installed, unless it is loaded already."""
    finder = _Missing(library)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@cache
def start_pyarrow() -> None:
    """Make pyarrow's first conversion without pandas, which takes 0.2 s of CPU and 40 MB.

    pyarrow looks for pandas once, to recognize its types; the arena converts only Python's and
    NumPy's. Modules that use pandas can still import it.
    """
    import pyarrow as pa

    with import_without("pandas"):
        pa.array([])
