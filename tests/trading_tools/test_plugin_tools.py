"""Tools in folders outside the source tree: which are loaded, refused or left out."""

import asyncio
import json
import signal
import threading
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.messages import ClosedCandle
from arena.node import Node
from arena.plugins import NO_PLUGINS, find_plugins
from arena.settings import Settings as ArenaSettings
from arena.threads import WorkerThreads
from tests.arena.candle_rows import candle
from tests.trading_tools.helpers import tool_call
from trading_tools.candle_follower import CandleFollower
from trading_tools.cli import app
from trading_tools.context import Answer, ToolContext
from trading_tools.manual_call import new_call
from trading_tools.plugin_tools import load_tools
from trading_tools.registry import THREADS_MAX, Catalogue, PluginCalls, Tool, load_catalogue
from trading_tools.server import STILL_RUNNING, ToolServer

CTX = ToolContext("momentum", "turn", "call", "snapshot", datetime(2026, 11, 21, tzinfo=UTC))
BUILT_IN = sorted(load_catalogue())
HEAD = "from trading_tools import tool\n"
GATE = threading.Event()
"""What the tool of `SLOW` waits for."""
SLOW = f"from {__name__} import GATE\n    GATE.wait(20)\n    return 'late'"


def tool_text(name: str, body: str = 'return "fine"', head: str = "") -> str:
    """The text of a file with one tool."""
    return f'{HEAD}{head}@tool\ndef {name}(days: int = 1) -> str:\n    """Say."""\n    {body}\n'


def loaded(folder: Path, **files: str) -> Catalogue:
    """The tools of a folder with these files."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return load_tools(find_plugins([folder]))


async def answered(
    tool: Tool, arguments: str = "{}", plugin_calls: PluginCalls | None = None
) -> Answer:
    """Run a tool and return its answer."""
    given = tool.signature.read(arguments)
    assert isinstance(given, dict)
    return await tool.call_async(CTX, given, plugin_calls or PluginCalls(WorkerThreads()))


async def test_decorated_function_is_a_tool(tmp_path: Path) -> None:
    """Without a context, with a plain result; its file and the file's hash are offered."""
    text = tool_text("mine")
    found = loaded(tmp_path / "own", any_name=text)
    tool = found.tools["mine"]
    offered = tool.offered(CTX.now)

    assert (sorted([*BUILT_IN, "mine"]), ()) == (list(found.tools), found.faults)
    assert Answer("fine") == await answered(tool)
    assert ("own/any_name.py", sha256(text.encode()).hexdigest()) == (
        offered.source,
        offered.source_sha256,
    )
    assert "source" not in found.tools["calculator"].offered(CTX.now).model_dump()


async def test_tool_of_a_plugin_reads_the_candles(tmp_path: Path, memory_bus: MemoryBus) -> None:
    """With a `MarketContext` it sees the minutes before the offsets of the call, and no others."""
    text = """
from trading_tools import MarketContext, tool

@tool
def closes(ctx: MarketContext, product_id: str) -> list[float]:
    '''List the closes.'''
    return [bar.close for bar in ctx.candles.minutes(product_id)]
"""
    found = loaded(tmp_path / "own", closes=text)
    await memory_bus.ensure_topics([topics.CANDLES, topics.SNAPSHOTS])
    for one in (candle(n, 100 + n) for n in range(4)):
        message = ClosedCandle(venue="v", product_id="A-USD", candle=one)
        ack = await memory_bus.append(topics.CANDLES.name, message, key="A-USD")
    candles = CandleFollower(memory_bus)
    await candles.load()
    node = Node("tools", "t", ArenaSettings(), memory_bus, SystemClock())
    call = tool_call(
        "mo", "closes", '{"product_id": "A-USD"}', candle_offsets={ack.partition: ack.offset}
    )
    result = await ToolServer(node, found.tools, candles).result(call)

    assert ((), True) == (found.faults, found.tools["closes"].uses_candles)
    assert "[100.0,101.0,102.0]" == result.text


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ("[1, 2.5]", Answer("[1,2.5]", [1, 2.5])),
        ('{"a": None}', Answer('{"a":null}', {"a": None})),
        ("True", Answer("true", True)),
        ("float('nan')", Answer('"NaN"', "NaN")),
        ("__import__('decimal').Decimal('0.10')", Answer("0.10", "0.10")),
    ],
)
async def test_plain_result_is_an_answer(tmp_path: Path, result: str, answer: Answer) -> None:
    """Any JSON value can be returned directly."""
    found = loaded(tmp_path, one=tool_text("mine", f"return {result}"))

    assert answer == await answered(found.tools["mine"])


@pytest.mark.parametrize(
    "body", ["return None", "return object()", "raise KeyError('x')", "raise SystemExit(3)"]
)
async def test_failure_of_a_tool_is_an_answer(tmp_path: Path, body: str) -> None:
    """A tool cannot end the process that serves it."""
    found = loaded(tmp_path, one=tool_text("mine", body))

    assert "tool_failed" == (await answered(found.tools["mine"])).error


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x = 1\ny = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f(\n", 1, "SyntaxError: '(' was never closed"),
        ("raise SystemExit('stop')", 1, "SystemExit: stop"),
        ("import no_such_package_at_all", 1, "ModuleNotFoundError: No module named"),
        ("import beside", 1, "a plugin is one file: move the code it needs from beside.py into it"),
        ("x = 1\n", None, "it has no tool; write @tool above a function"),
        (f'{HEAD}\n@tool\ndef f(days):\n    """Say."""\n', 3, "`days` has no type hint; write"),
        (
            f'{HEAD}\n@tool(touches_account=True)\ndef f() -> str:\n    """Say."""\n',
            3,
            "tool f touches accounts, which a plugin's tool cannot",
        ),
        ("\0", None, "SyntaxError"),
        ("\nraise KeyboardInterrupt\n", 2, "KeyboardInterrupt"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        ("raise BaseException('gone')\n", 1, "BaseException: gone"),
        ("import asyncio\nraise asyncio.CancelledError\n", 2, "CancelledError"),
        ("from trading_tools.catalogue.calculator import calculator\n", None, "has no tool"),
    ],
)
def test_broken_file_is_named_and_the_other_tools_work(
    tmp_path: Path, text: str, line: int | None, says: str
) -> None:
    """With file, line and error; all other tools are there."""
    (tmp_path / "beside.py").write_text(tool_text("aside"))
    found = loaded(tmp_path, broken=text, good=tool_text("good"))

    assert sorted([*BUILT_IN, "aside", "good"]) == list(found.tools)
    assert [str(tmp_path / "broken.py")] == [fault.path for fault in found.faults]
    assert (line, True) == (found.faults[0].line, says in found.faults[0].error)


@pytest.mark.parametrize(
    ("number", "ends_with"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_signal_ends_the_command_while_a_file_is_loaded(
    tmp_path: Path, number: signal.Signals, ends_with: type[BaseException]
) -> None:
    """A Ctrl-C is not the file's error, and its handler is in place afterwards."""

    def end(*_: object) -> None:
        raise ends_with

    before = signal.signal(number, end)
    try:
        with pytest.raises(ends_with):
            loaded(tmp_path, slow=f"import signal\nsignal.raise_signal({int(number)})\n")
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "Stop", "asyncio.CancelledError"])
@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_any_exception_of_a_call_is_an_answer(tmp_path: Path, raised: str, kind: str) -> None:
    """Also exceptions that error handlers usually do not catch."""
    head = "import asyncio\nclass Stop(BaseException): ...\n"
    text = tool_text("mine", f"raise {raised}", head)
    found = loaded(tmp_path, one=text.replace("def mine", f"{kind} mine"))

    assert "tool_failed" == (await answered(found.tools["mine"])).error


def test_built_in_name_is_refused(tmp_path: Path) -> None:
    """A plugin cannot replace a tool of the arena or of another plugin."""
    with pytest.raises(UsageError, match=r"one\.py: tool 'execute_trade' has the name of a built"):
        loaded(tmp_path / "a", one=tool_text("execute_trade"))
    with pytest.raises(UsageError, match=r"two\.py: tool 'mine' has the name of that of b/one\.py"):
        loaded(tmp_path / "b", one=tool_text("mine"), two=tool_text("mine"))


async def test_blocking_tool_delays_no_other(tmp_path: Path) -> None:
    """Plugin functions run in a bounded number of threads."""
    found, limited = loaded(tmp_path, one=tool_text("slow", SLOW)), PluginCalls(WorkerThreads())
    GATE.clear()
    try:
        calls = [
            asyncio.create_task(answered(found.tools["slow"], "{}", limited))
            for _ in range(THREADS_MAX)
        ]
        await asyncio.sleep(0)
        refused = await answered(found.tools["slow"], "{}", limited)
    finally:
        GATE.set()

    assert "busy" == refused.error
    assert ["late"] * THREADS_MAX == [answer.text for answer in await asyncio.gather(*calls)]


async def test_call_that_keeps_its_thread_is_reported(
    tmp_path: Path, memory_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log, and in heartbeats until it ends; so is a lack of threads."""
    found = loaded(tmp_path, one=tool_text("slow", SLOW))
    node = Node("tools", "tools", ArenaSettings(), memory_bus, SystemClock())
    server = ToolServer(node, found.tools)
    GATE.clear()
    try:
        calls = [new_call("slow", "{}", "momentum", node.clock, 0.2) for _ in range(THREADS_MAX)]
        results = await asyncio.gather(*(server.result(call) for call in calls))
        refused = [
            await server.result(new_call("slow", "{}", "momentum", node.clock, 5.0))
            for _ in range(2)
        ]
        reported = str(node.details[STILL_RUNNING])
    finally:
        GATE.set()

    assert {"expired"} == {result.error for result in results}
    assert ["busy", "busy"] == [result.error for result in refused]
    assert f"{THREADS_MAX} of {THREADS_MAX} threads" in reported
    assert f"slow ({THREADS_MAX})" in reported
    warned = capsys.readouterr().out
    assert THREADS_MAX == warned.count("keeps its thread")
    assert 1 == warned.count("all their threads are taken")
    assert "tool=slow" in warned
    async with asyncio.timeout(5):
        while STILL_RUNNING in node.details:
            await asyncio.sleep(0.01)


def test_new_tool_works_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`new` writes a file that `check` and `call` accept, and overwrites nothing."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    written = run(app, ["new", "mean_price"])
    checked = run(app, ["check", "plugins", "--json"])
    again = run(app, ["new", "mean_price"])
    wrong = [run(app, ["new", name]).exception for name in ("calculator", "a b", "class", "_x")]
    (tmp_path / "plugins" / "bad.py").write_text("x")
    bad = run(app, ["check", "plugins/bad.py"])

    assert (0, 0) == (written.exit_code, checked.exit_code)
    assert ["mean_price"] == [one["tool"] for one in json.loads(checked.stdout)]
    assert isinstance(again.exception, UsageError)
    assert ["UsageError"] * 4 == [type(error).__name__ for error in wrong]
    assert (1, True) == (bad.exit_code, "bad.py, line 1: NameError" in bad.stdout)


def test_tools_of_plugins_never_run_with_the_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process for both is refused; a folder without tools is ignored."""
    (tmp_path / "one.py").write_text(tool_text("mine"))
    monkeypatch.setenv("ARENA_PLUGINS", str(tmp_path))
    both = CliRunner().invoke(app, [])
    named = CliRunner().invoke(app, ["--only", "executor", "--plugins", str(tmp_path)])

    for refused in (both, named):
        assert isinstance(refused.exception, UsageError)
        assert "--only stateless" in refused.exception.remedy
    assert BUILT_IN == list(load_tools(NO_PLUGINS).tools)
