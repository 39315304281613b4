"""Defines tools as functions marked with `@tool`, and loads those of `trading_tools/catalogue/`.

Adding a tool means adding a file; files whose names start with `_` are skipped. A file that cannot
be loaded is reported as a fault; the other tools work. `trading_tools.plugin_tools` loads tools of
other folders.
"""

import asyncio
import importlib
import inspect
import json
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload

import orjson
from pydantic_core import PydanticSerializationError, to_json

from arena.errors import UsageError
from arena.messages import ToolOffered
from arena.plugin_code import PluginFault, plugin_fault, recorded_signals
from arena.threads import Threads
from trading_tools import catalogue
from trading_tools.context import (
    AccountContext,
    AccountRequest,
    Answer,
    CancelOrder,
    MarketContext,
    Order,
    RefusedArguments,
    SetExits,
    ToolContext,
)
from trading_tools.schema import InvalidArguments, Signature, hints_of, signature_of

# Any: each tool has parameters of its own; `Signature.read` checks what it is called with.
ToolFunction = Callable[..., Any]
_Function = TypeVar("_Function", bound=ToolFunction)
ANSWER_BYTES_MAX = 100_000
"""A model cannot read more, and a record cannot contain much more."""
THREADS_MAX = 16
"""How many calls of plugin tools run at once; a call that never ends keeps its thread."""
BUSY = "busy"
"""Error of a call for which no thread is free."""
MARK = "_touches_account"


class PluginCalls:
    """Runs functions of plugins in threads, so that they cannot block the other tools.

    A function that never ends keeps its thread, but does not keep the process from ending.

    Args:
        threads: Runs the functions.
        on_change: Called with the number of calls per tool that timed out and still run, whenever
            it changes.
    """

    def __init__(
        self, threads: Threads, on_change: Callable[[dict[str, int]], None] | None = None
    ) -> None:
        """Start without calls."""
        self._threads = threads
        self._on_change = on_change
        self._running = 0
        self._timed_out: Counter[str] = Counter()

    async def run(self, name: str, work: Callable[[], object]) -> object:
        """Run a function; an answer with the error `BUSY` if no thread is free.

        Args:
            name: The tool.
            work: The function.
        """
        if self._running >= THREADS_MAX:
            return Answer(f"{THREADS_MAX} calls of tools are running; ask again.", error=BUSY)
        self._running += 1
        try:
            outcome = await self._threads.run_daemon(
                work, name=name, on_late_end=lambda: self._end_late(name)
            )
        except asyncio.CancelledError:
            self._note_timed_out(name, 1)
            raise
        except BaseException:
            self._running -= 1
            raise
        self._running -= 1
        return outcome

    def _end_late(self, name: str) -> None:
        self._running -= 1
        self._note_timed_out(name, -1)

    def _note_timed_out(self, name: str, change: int) -> None:
        self._timed_out[name] += change
        self._timed_out = +self._timed_out
        if self._on_change is not None:
            self._on_change(dict(self._timed_out))


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that agents can call.

    Attributes:
        touches_account: It runs in the account's single writer, on `account.commands`.
        places_order: It is declared to return an `AccountRequest`: every call of it, readable or
            not, is decided by one event.
        is_async: It is a coroutine function.
        uses_candles: Its context is a `MarketContext`.
        source: Folder and file name of a plugin's tool; "" for a tool of the catalogue.
        source_sha256: SHA-256 of that file; "" for a tool of the catalogue.
    """

    signature: Signature
    function: ToolFunction
    touches_account: bool
    places_order: bool
    is_async: bool
    uses_candles: bool = False
    source: str = ""
    source_sha256: str = ""

    @property
    def name(self) -> str:
        """The name that models call it by."""
        return self.signature.tool

    def offered(self, at: datetime) -> ToolOffered:
        """The tool as it is published on the roster."""
        return ToolOffered(
            name=self.name,
            description=self.signature.description,
            parameters=self.signature.parameters,
            touches_account=self.touches_account,
            source=self.source,
            source_sha256=self.source_sha256,
            at=at,
        )

    # Any: checked arguments of this very function.
    def _given(self, ctx: ToolContext, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments, with the context if the tool takes one."""
        context = self.signature.context
        return {context: ctx, **arguments} if context else arguments

    # Any: checked arguments of this very function.
    def call(
        self, ctx: ToolContext, arguments: dict[str, Any]
    ) -> Answer | AccountRequest | InvalidArguments:
        """Run a tool that is not a coroutine; every exception becomes an answer."""
        try:
            outcome: object = self.function(**self._given(ctx, arguments))
        except RefusedArguments as error:
            return self._refused(str(error))
        except BaseException as error:  # the boundary to extensions
            # A tool is an extension: an exception of it must not stop the process that serves all
            # agents. The agent gets the error, and it is not retried.
            if not self.source and not isinstance(error, Exception | SystemExit):
                raise  # It is not a plugin's, so it is a Ctrl-C.
            return self._failure(type(error).__name__)
        return self._checked(outcome)

    # Any: as above.
    async def call_async(
        self, ctx: ToolContext, arguments: dict[str, Any], plugin_calls: PluginCalls
    ) -> Answer:
        """Run a tool that touches no account, awaiting it if it is a coroutine.

        Args:
            ctx: The caller and the time.
            arguments: The checked arguments.
            plugin_calls: Runs a plugin's function.
        """
        if not self.is_async:
            outcome: object = (
                await plugin_calls.run(self.name, lambda: self.call(ctx, arguments))
                if self.source
                else self.call(ctx, arguments)
            )
            assert isinstance(outcome, Answer)
            return outcome
        try:
            answer: object = await self.function(**self._given(ctx, arguments))
        except GeneratorExit:
            raise
        except BaseException as error:  # as in `call`; asyncio turns a Ctrl-C into a cancellation
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            failure = self._failure(type(error).__name__)
            assert isinstance(failure, Answer)
            return failure
        checked = self._checked(answer)
        assert isinstance(checked, Answer)
        return checked

    def _checked(self, outcome: object) -> Answer | AccountRequest | InvalidArguments:
        if self.places_order:
            if isinstance(outcome, Order | SetExits | CancelOrder):
                return outcome
            return self._failure(f"a {type(outcome).__name__}")
        answer = answer_of(outcome)
        if answer is None:
            return self._failure(f"a {type(outcome).__name__}, which is not JSON")
        try:
            size = len(orjson.dumps([answer.text, answer.value, answer.error]))
        except TypeError:
            return self._failure("an answer that is not JSON")
        if size > ANSWER_BYTES_MAX:
            return self._failure(f"an answer of {size:,} bytes")
        return answer

    def _refused(self, reason: str) -> Answer | InvalidArguments:
        if self.places_order:
            return InvalidArguments(reason)
        return Answer(f"{self.name}: {reason}.", error="malformed_arguments")

    def _failure(self, what: str) -> Answer | InvalidArguments:
        reason = f"the tool failed with {what}"
        if self.places_order:
            return InvalidArguments(reason)
        return Answer(f"{self.name}: {reason}; try without it.", error="tool_failed")


def answer_of(outcome: object) -> Answer | None:
    """The return value of a tool as an answer; None if models cannot read it.

    A text is the answer itself; a number, a list or a dict becomes JSON.
    """
    if isinstance(outcome, Answer):
        return outcome
    if isinstance(outcome, str):
        return Answer(outcome)
    if outcome is None:
        return None
    try:
        text = to_json(outcome, inf_nan_mode="strings").decode()
        value = json.loads(text)
    except (PydanticSerializationError, TypeError, ValueError, RecursionError):
        return None
    return Answer(str(outcome) if isinstance(outcome, Decimal) else text, value)


class _Mark:
    @overload
    def __call__(self, function: _Function) -> _Function: ...
    @overload
    def __call__(self, *, touches_account: bool = False) -> Callable[[_Function], _Function]: ...
    # Any: the overloads say what.
    def __call__(self, function: Any = None, *, touches_account: bool = False) -> Any:
        def mark(marked: _Function) -> _Function:
            setattr(marked, MARK, touches_account)
            return marked

        return mark if function is None else mark(function)


tool = _Mark()
"""Marks a function as a tool: `@tool`, or `@tool(touches_account=True)` in the catalogue.

With `touches_account` the tool gets the caller's account, as an `AccountContext`, and may return an
`AccountRequest`; it then runs in the account's single writer.
"""


class Catalogue(NamedTuple):
    """The tools that were found.

    Attributes:
        tools: The tools by name, sorted.
        faults: Files and functions that cannot be used, and why.
    """

    tools: dict[str, Tool]
    faults: tuple[PluginFault, ...] = ()


def load_catalogue() -> dict[str, Tool]:
    """Load every usable tool of the catalogue, by name, sorted."""
    return read_catalogue().tools


def read_catalogue() -> Catalogue:
    """Load the tools of the catalogue, and list the faults of its files."""
    found: dict[str, Tool] = {}
    faults: list[PluginFault] = []
    for module in pkgutil.iter_modules(catalogue.__path__):
        if module.name.startswith("_"):
            continue
        path = Path(catalogue.__path__[0]) / f"{module.name}.py"
        with recorded_signals() as arrived:
            try:
                loaded = importlib.import_module(f"{catalogue.__name__}.{module.name}")
            except BaseException as error:  # the boundary to extensions: reported, not raised
                if arrived:
                    raise
                faults.append(plugin_fault(path, error))
                continue
        marked = [f for f in vars(loaded).values() if hasattr(f, MARK)]
        if [f.__name__ for f in marked] != [module.name]:
            text = "it must have exactly one @tool function, with the name of the file"
            faults.append(PluginFault(str(path), None, text))
            continue
        try:
            found[module.name] = tool_of(marked[0])
        except UsageError as error:
            faults.append(PluginFault(str(path), line_of(marked[0]), str(error)))
    return Catalogue(dict(sorted(found.items())), tuple(faults))


def line_of(function: ToolFunction) -> int | None:
    """The line at which a function starts, from 1."""
    code = getattr(function, "__code__", None)
    return None if code is None else code.co_firstlineno


def tool_of(function: ToolFunction) -> Tool:
    """Make a tool of a marked function.

    Raises:
        UsageError: Its annotations contradict its mark, or something is missing.
    """
    touches_account: bool = getattr(function, MARK)
    signature = signature_of(function)
    hints = hints_of(function)
    wanted = AccountContext if touches_account else ToolContext
    given = hints.get(signature.context, wanted)
    uses_candles = given is MarketContext and not touches_account
    if not (given is wanted or uses_candles) or not (signature.context or not touches_account):
        raise UsageError(
            f"tool {signature.tool} with touches_account={touches_account}",
            remedy=f"annotate its context as {wanted.__name__}",
        )
    is_async = inspect.iscoroutinefunction(function)
    if touches_account and is_async:
        raise UsageError(
            f"tool {signature.tool} is a coroutine and touches accounts",
            remedy="write it without `async`: an account's single writer cannot wait",
        )
    returns = hints.get("return")
    requests = returns in (Order, SetExits, CancelOrder)
    if requests if not touches_account else not (requests or returns is Answer):
        raise UsageError(f"tool {signature.tool} returns {returns}", remedy="return an Answer")
    return Tool(
        signature,
        function,
        touches_account,
        places_order=requests,
        is_async=is_async,
        uses_candles=uses_candles,
    )
