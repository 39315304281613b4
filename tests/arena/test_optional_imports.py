"""Imports without an optional library."""

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from arena.optional_imports import import_without

LIBRARY = "optional_library_of_a_test"


def test_other_threads_can_import_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the thread that asked does without it."""
    (tmp_path / f"{LIBRARY}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with import_without(LIBRARY), ThreadPoolExecutor(1) as other:
        with pytest.raises(ModuleNotFoundError, match="is not needed here"):
            import_module(LIBRARY)
        assert other.submit(import_module, LIBRARY).result().__name__ == LIBRARY
    del sys.modules[LIBRARY]
