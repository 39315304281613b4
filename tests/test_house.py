"""The house rules, so that a reviewer never has to check them by hand.

Who imports whom, how large files and functions may be, what a pure module may call, that every
public thing is documented, and that no file names one machine or a package index.
"""

import ast
import gc
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from arena.process_tables import kind_table, topic_table
from tests.house_lists import OWNERS, REAL_TIME, ROOMS, SHELLS

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LINE_CHARS_MAX = 100

IMPURE_NAMES = (
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "uuid.uuid4",
    "uuid.uuid1",
    "os.getenv",
    "os.environ",
    "random.",
    "secrets.token_",
    "secrets.choice",
    "secrets.rand",
)
"""Starts of dotted names that a pure module does not use."""

IMPURE_IMPORTS = (
    "time",
    "random",
    "secrets",
    "uuid.uuid4",
    "uuid.uuid1",
    "os.environ",
    "os.getenv",
)
"""What a pure module does not import with `from`."""

MACHINE_MODULES = ("time", "threading", "multiprocessing", "concurrent.futures", "secrets")
"""What a module that runs on the process's clock does not import."""

MACHINE_NAMES = (
    "asyncio.sleep",
    "asyncio.timeout",
    "asyncio.wait_for",
    "asyncio.to_thread",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "uuid.uuid4",
    "uuid.uuid1",
    *(f"random.{name}" for name in ("random", "randint", "choice", "shuffle", "uniform", "seed")),
)
"""Starts of dotted names that it does not use; it takes them from the process."""

MACHINE_METHODS = (".run_in_executor", ".call_later", ".call_at", "loop.time", "loop().time")
"""Ends of such names."""

UNSEEDED = ("Random", "random.Random", "random.SystemRandom")
"""What it does not call without a seed."""

ALLOWED = tuple(REAL_TIME)
"""Modules, or starts of their names, that may use the machine's."""

SOURCES = sorted(
    path
    for folder in ("arena", *ROOMS, "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
SHIPPED = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "tests"]


@pytest.fixture(autouse=True, scope="module")
def trees() -> Iterator[None]:
    """Keep the trees of all files for this module only, and collect no garbage among them.

    They are millions of objects: a collection takes seconds while they are there.
    """
    gc.disable()
    yield
    for cached in (source_of, tree_of, nodes_of, impurities_of):
        cached.cache_clear()
    gc.enable()


def name_of(path: Path) -> str:
    """The path as the rules write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def source_of(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(source_of(path), name_of(path))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Every node of a file."""
    return list(ast.walk(tree_of(path)))


@cache
def impurities_of(path: Path) -> list[str]:
    """What a pure module must not have: await, clocks, random numbers, the environment."""
    found = [
        f"await in line {node.lineno}"
        for node in nodes_of(path)
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    found += [
        f"from {node.module} import {alias.name}"
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if {node.module, f"{node.module}.{alias.name}"} & set(IMPURE_IMPORTS)
    ]
    return found + [
        text
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and (text := ast.unparse(node)).startswith(IMPURE_NAMES)
    ]


def past_the_seam(path: Path) -> list[str]:
    """Uses of the machine's time, randomness and threads that do not go through the process."""
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MACHINE_MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += names if node.module in MACHINE_MODULES else []
            found += [name for name in names if name.startswith(MACHINE_NAMES)]
        elif isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if text.startswith(MACHINE_NAMES) or text.endswith(MACHINE_METHODS):
                found.append(f"{text} in line {node.lineno}")
        elif isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            waits = text == "asyncio.wait" and any(k.arg == "timeout" for k in node.keywords)
            unseeded = text in UNSEEDED and not node.args and not node.keywords
            in_room = path.relative_to(ROOT).parts[0] != "arena"
            if waits or unseeded or (in_room and text == "SystemClock"):
                found.append(f"{text}() in line {node.lineno}")
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Every dotted name that a module imports, also in functions; with dots if it is relative."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def require_none(broken: Mapping[str, Iterable[object]]) -> None:
    """Fail with one line for each file that breaks a rule: the file, and what is wrong in it."""
    lines = [f"{name}: {', '.join(map(str, found))}" for name, found in broken.items() if found]
    assert not lines, "\n".join(lines)


def test_a_room_imports_the_ground_and_itself() -> None:
    """A room imports arena and itself; arena imports no room; no import is relative."""
    broken = {
        name_of(path): {
            name
            for name in imports_of(path)
            if name.split(".")[0] in {"", *ROOMS} - {path.relative_to(ROOT).parts[0]}
        }
        for path in SHIPPED
    }

    require_none(broken)


def test_the_checker_shares_no_code_with_the_arena() -> None:
    """The checker of a storm imports the standard library, a Kafka client and itself."""
    allowed = {*sys.stdlib_module_names, "aiokafka", "orjson"}
    paths = sorted((ROOT / "operations" / "storm").glob("checker*.py"))
    broken = {
        name_of(path): {
            name
            for name in imports_of(path)
            if name.split(".")[0] not in allowed and not name.startswith("operations.storm.checker")
        }
        for path in paths
    }

    assert paths
    require_none(broken)


def test_a_library_is_used_where_it_belongs() -> None:
    """The libraries of the outside world are each imported in one place only."""
    broken = {
        name_of(path): {
            name
            for name in imports_of(path)
            if (owners := OWNERS.get(name.split(".")[0])) and not name_of(path).startswith(owners)
        }
        for path in SHIPPED
    }

    require_none(broken)


def test_files_functions_and_lines_are_short() -> None:
    """No file over 400 lines, no function over 70, no line over 100 characters."""
    broken: dict[str, list[str]] = {}
    for path in SOURCES:
        lines = source_of(path).splitlines()
        found = [f"line {n}" for n, text in enumerate(lines, 1) if len(text) > LINE_CHARS_MAX]
        if len(lines) > FILE_LINES_MAX:
            found.append(f"{len(lines)} lines")
        found += [
            f"{node.name}: {length} lines"
            for node in nodes_of(path)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
        ]
        broken[name_of(path)] = found

    require_none(broken)


def test_modules_are_pure_unless_they_are_shells() -> None:
    """No await, clock, random generator or environment outside of the listed shells."""
    broken = {name_of(path): impurities_of(path) for path in SHIPPED if name_of(path) not in SHELLS}

    require_none(broken)


def test_listed_shells_exist_and_are_shells() -> None:
    """The list of shells has no module that is gone or that has become pure."""
    shells = {name_of(path) for path in SHIPPED if impurities_of(path)}

    assert [] == sorted(set(SHELLS) - shells)


def test_rooms_take_time_randomness_and_threads_from_the_process() -> None:
    """No room, and no module of the ground, goes past the seam, except those of a list."""
    paths = [path for path in SHIPPED if path.relative_to(ROOT).parts[0] != "operations"]
    broken = {name_of(path): past_the_seam(path) for path in paths}
    listed = {name for name, found in broken.items() if found and name.startswith(ALLOWED)}

    require_none({name: found for name, found in broken.items() if name not in listed})
    assert [] == [start for start in ALLOWED if not any(n.startswith(start) for n in listed)]


def test_every_public_thing_is_documented() -> None:
    """Modules, public classes and public functions say what they are."""
    broken: dict[str, list[str]] = {}
    for path in SHIPPED:
        tree = tree_of(path)
        missing = [] if ast.get_docstring(tree) else ["module"]
        classes = [n for n in nodes_of(path) if isinstance(n, ast.ClassDef)]
        parents: list[ast.Module | ast.ClassDef] = [tree, *classes]
        for parent in parents:
            if isinstance(parent, ast.ClassDef) and parent.name.startswith("_"):
                continue
            missing += [
                node.name
                for node in parent.body
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ]
        broken[name_of(path)] = missing

    require_none(broken)


def test_no_handler_swallows_everything() -> None:
    """A bare or catch-all handler re-raises, or a comment on its line says why it may not."""
    broken: dict[str, list[str]] = {}
    for path in SHIPPED:
        lines = source_of(path).splitlines()
        found = []
        for node in nodes_of(path):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            if not {"everything", "Exception", "BaseException"} & set(re.findall(r"\w+", caught)):
                continue
            raises = any(isinstance(n, ast.Raise) for n in ast.walk(node))
            if not raises and "#" not in lines[node.lineno - 1]:
                found.append(f"line {node.lineno}: except {caught}")
        broken[name_of(path)] = found

    require_none(broken)


def test_money_is_never_a_float() -> None:
    """No value that is called a price, cash, fee or amount is converted to a float.

    Metrics, of the judge and of the ground, measure what the account fold has decided: returns and
    ratios are floats, and nothing that is computed from them flows back into an account.
    """
    words = ("price", "cash", "fee", "notional", "amount", "equity", "quantity")
    measuring = ("dashboard/terminal/plot", "operations/bench/", "judge/", "arena/metrics/")
    broken = {
        name_of(path): [
            text
            for node in nodes_of(path)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "float"
            and any(word in (text := ast.unparse(node)).lower() for word in words)
        ]
        for path in SHIPPED
        if not name_of(path).startswith(measuring)
    }

    require_none(broken)


def tracked_files() -> list[Path]:
    """Every file git tracks, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [p for name in listed.stdout.splitlines() if (p := ROOT / name).is_file()]


def test_no_file_names_a_machine_or_an_index() -> None:
    """No file has a path of one machine or the address of a package index."""
    words = [
        "/" + "work/",
        "/" + "root/",
        "pypi" + ".org",
        "repo1." + "maven",
        "files.python" + "hosted",
    ]
    found = []
    for path in tracked_files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{name_of(path)}: {word}" for word in words if word in text]

    assert [] == found


def test_the_tables_in_the_document_are_those_in_the_code() -> None:
    """`docs/architecture.md` has the generated table, word for word."""
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

    assert kind_table() in document
    assert topic_table() in document
