"""The modules of `arena` form layers: their imports have no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import arena

ROOT = Path(arena.__file__).parent


def module_name(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path: Path) -> set[str]:
    """The dotted names that a module imports, including imports inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_imports_of_arena_have_no_circle() -> None:
    """A module imports only modules of lower layers; the package's version counts as the lowest."""
    modules = {module_name(path): path for path in ROOT.rglob("*.py")}
    graph = {
        name: (imported_names(path) & modules.keys()) - {"arena", name}
        for name, path in modules.items()
    }

    order = list(TopologicalSorter(graph).static_order())

    assert modules.keys() == set(order)
