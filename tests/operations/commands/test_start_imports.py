"""What a command loads at its start: a heavy library is loaded by the branch that needs it."""

import json
import subprocess
import sys

import pytest

from tests.operations.commands.cli import ROOT

PROGRAM = """
import json, os, sys
from importlib import import_module

found = {}
for module in json.loads(sys.argv[2]):
    import_module(module)
for kind, modules in json.loads(sys.argv[1]).items():
    read, write = os.pipe()
    if not os.fork():
        for module in modules:
            import_module(module)
        loaded = {name.partition(".")[0] for name in sys.modules} | set(sys.modules)
        os.write(write, json.dumps(sorted(loaded & set(sys.argv[3:]))).encode())
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        found[kind] = json.loads(answer.read() or '["no answer"]')
    os.wait()
print(json.dumps(found))
"""
"""Loads what every process loads, then the modules of each kind in a child of its own: all kinds
need one interpreter."""

NODE = ("operations.main", "arena.node", "arena.bus.kafka", "uvloop", "typer.main")
KINDS = {
    "connector": ("connectors.cli", "connectors.process", "connectors.market.connector"),
    "replay": ("connectors.cli", "connectors.process"),
    "tools": ("trading_tools.cli", "trading_tools.process"),
    "chat node": ("chat_nodes.cli", "chat_nodes.process", "chat_nodes.scripted.model"),
    "routers": ("routers.cli", "routers.process"),
    "ledger": ("ledger.cli", "ledger.process"),
    "judge": ("judge.cli", "judge.process"),
    "alerts": ("dashboard.cli_alerts", "dashboard.alerts.process"),
    "report": ("judge.cli_report", "judge.report.write", "judge.report.verify"),
}
"""The modules that a process of each kind has loaded when it serves, besides those of a node."""

TEXT_CALLS = "chat_nodes.text_calls"
UNUSED = (
    *("arch", "httpx", "jinja2", "narwhals", "numpy", "openai", "pandas", "psycopg"),
    *("pyarrow", "pygments", "rich", "scipy", "sqlalchemy", "statsmodels", TEXT_CALLS),
)
NEEDED = {
    "connector": {"httpx"},
    "ledger": {"psycopg", "sqlalchemy"},
    "judge": {"numpy"},
    "report": {"jinja2", "numpy", "pyarrow"},
}


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """The heavy modules that each kind loads."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(KINDS), json.dumps(NODE), *UNUSED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_start_loads_no_heavy_library(kind: str, loaded: dict[str, list[str]]) -> None:
    """A process loads only the heavy libraries that every process of its kind needs."""
    assert sorted(NEEDED.get(kind, ())) == loaded[kind]


def test_conversions_of_pyarrow_load_no_pandas() -> None:
    """A process that writes tables does not load pandas, and can still load it later."""
    program = (
        "import sys\n"
        "from arena.optional_imports import start_pyarrow\n"
        "start_pyarrow()\n"
        "import pyarrow as pa\n"
        "table = pa.table({'name': ['a', None], 'size': [1, 2]})\n"
        "assert [{'name': 'a', 'size': 1}, {'name': None, 'size': 2}] == table.to_pylist()\n"
        "print('pandas' in sys.modules)\n"
        "import pandas\n"
        "assert ['A'] == pandas.Series(['a']).str.upper().tolist()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "False\n" == done.stdout


def test_command_searches_no_package_for_plugins_of_pydantic() -> None:
    """A command builds its messages without reading the metadata of installed packages."""
    program = (
        "import importlib.metadata, sys\n"
        "importlib.metadata.entry_points = None\n"
        "sys.argv = ['arena', 'tools', 'list']\n"
        "from arena.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "calculator" in done.stdout
