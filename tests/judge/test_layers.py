"""The modules of the judge form layers: no import cycle, not even inside a function."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import judge

PACKAGE = Path(judge.__file__).parent


def module_name(path: Path) -> str:
    """The dotted name of a module of the judge."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(name: str) -> set[str]:
    """The modules of the judge that a module imports, also in functions and for type checks."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= full & MODULES.keys() if full & MODULES.keys() else {node.module}
    return (found & MODULES.keys()) - {name}


def test_modules_have_no_import_cycle() -> None:
    """A topological order exists; otherwise the error names the cycle."""
    order = list(TopologicalSorter({name: imports_of(name) for name in MODULES}).static_order())

    assert set(MODULES) == set(order)
    assert order.index("judge.season.types") < order.index("judge.season.assemble")
    assert order.index("judge.season.assemble") < order.index("judge.leaderboard")


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("judge.season", ("judge.statistics", "judge.report", "judge.check", "judge.leaderboard")),
        ("judge.statistics", ("judge.season", "judge.report", "judge.check", "judge.leaderboard")),
    ],
)
def test_season_and_statistics_are_independent_layers(
    package: str, forbidden: tuple[str, ...]
) -> None:
    """Records do not need statistics, and statistics take arrays."""
    members = [name for name in MODULES if name.startswith(f"{package}.")]
    found = {
        (name, one) for name in members for one in imports_of(name) if one.startswith(forbidden)
    }

    assert members
    assert set() == found
