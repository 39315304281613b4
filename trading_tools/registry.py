"""The tools there are: every function marked `@tool` in `trading_tools/catalogue/`.

A file whose name starts with `_` is skipped. Adding a tool is adding a file.
"""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson

from arena.errors import UsageError
from arena.messages import ToolOffered
from trading_tools import catalogue
from trading_tools.context import AccountContext, Answer, Order, ToolContext
from trading_tools.schema import Refused, Signature, signature_of

# Any: each tool has parameters of its own; `Signature.read` checks what it is called with.
ToolFunction = Callable[..., Any]
_Function = TypeVar("_Function", bound=ToolFunction)
ANSWER_BYTES_MAX = 100_000
"""A model cannot read more, and a record cannot hold much more."""
_MARK = "_touches_account"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of the catalogue.

    Attributes:
        touches_account: It runs in the account's single writer, on `account.commands`.
        places_order: It is declared to return an `Order`: every call of it, readable or not,
            is decided by one event.
        is_async: It is a coroutine function.
    """

    signature: Signature
    function: ToolFunction
    touches_account: bool
    places_order: bool
    is_async: bool

    @property
    def name(self) -> str:
        """The name models call it by."""
        return self.signature.tool

    def offered(self, at: datetime) -> ToolOffered:
        """The tool as it is published on the roster."""
        return ToolOffered(
            name=self.name,
            description=self.signature.description,
            parameters=self.signature.parameters,
            touches_account=self.touches_account,
            at=at,
        )

    # Any: checked arguments of this very function.
    def call(self, ctx: ToolContext, arguments: dict[str, Any]) -> Answer | Order | Refused:
        """Run a tool that does not wait; whatever it raises becomes an answer."""
        try:
            outcome: Answer | Order = self.function(ctx, **arguments)
        except Exception as error:  # the boundary to extensions, see below
            # A tool is an extension: whatever it raises must not stop the process that serves
            # every agent. The agent is told, and the error is not retried.
            return self._failure(type(error).__name__)
        return self._checked(outcome)

    # Any: as above.
    async def call_async(self, ctx: ToolContext, arguments: dict[str, Any]) -> Answer:
        """Run a tool that touches no account, awaiting it where it is a coroutine."""
        if not self.is_async:
            outcome = self.call(ctx, arguments)
            assert isinstance(outcome, Answer)
            return outcome
        try:
            answer: Answer = await self.function(ctx, **arguments)
        except Exception as error:  # as in `call`
            failure = self._failure(type(error).__name__)
            assert isinstance(failure, Answer)
            return failure
        checked = self._checked(answer)
        assert isinstance(checked, Answer)
        return checked

    def _checked(self, outcome: Answer | Order) -> Answer | Order | Refused:
        wanted = Order if self.places_order else Answer
        if not isinstance(outcome, wanted):
            return self._failure(f"a {type(outcome).__name__}")
        if isinstance(outcome, Answer):
            try:
                size = len(orjson.dumps([outcome.text, outcome.value, outcome.error]))
            except TypeError:
                return self._failure("an answer that is no JSON")
            if size > ANSWER_BYTES_MAX:
                return self._failure(f"an answer of {size:,} bytes")
        return outcome

    def _failure(self, what: str) -> Answer | Refused:
        reason = f"the tool failed with {what}"
        if self.places_order:
            return Refused(reason)
        return Answer(f"{self.name}: {reason}; try without it.", error="tool_failed")


def tool(*, touches_account: bool) -> Callable[[_Function], _Function]:
    """Mark a function as a tool.

    Args:
        touches_account: True where it needs the caller's account: then its context is an
            `AccountContext` and it may return an `Order`.
    """

    def mark(function: _Function) -> _Function:
        setattr(function, _MARK, touches_account)
        return function

    return mark


def load_catalogue() -> dict[str, Tool]:
    """Every tool by name, sorted.

    Raises:
        UsageError: A tool is not declared as the catalogue wants it.
    """
    found: dict[str, Tool] = {}
    for module in pkgutil.iter_modules(catalogue.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{catalogue.__name__}.{module.name}")
        marked = [f for f in vars(loaded).values() if hasattr(f, _MARK)]
        if [f.__name__ for f in marked] != [module.name]:
            raise UsageError(
                f"{module.name}.py of the catalogue", remedy="hold one @tool function of that name"
            )
        found[module.name] = tool_of(marked[0])
    return dict(sorted(found.items()))


def tool_of(function: ToolFunction) -> Tool:
    """The tool that a marked function is.

    Raises:
        UsageError: Its annotations contradict its mark.
    """
    touches_account: bool = getattr(function, _MARK)
    hints = typing.get_type_hints(function)
    signature = signature_of(function)
    wanted = AccountContext if touches_account else ToolContext
    if hints["ctx"] is not wanted:
        raise UsageError(
            f"tool {signature.tool} with touches_account={touches_account}",
            remedy=f"annotate its context as {wanted.__name__}",
        )
    is_async = inspect.iscoroutinefunction(function)
    if touches_account and is_async:
        raise UsageError(f"tool {signature.tool} waits", remedy="an account's writer cannot wait")
    returns = hints.get("return")
    if returns is not Answer and not (touches_account and returns is Order):
        raise UsageError(f"tool {signature.tool} returns {returns}", remedy="return an Answer")
    return Tool(
        signature, function, touches_account, places_order=returns is Order, is_async=is_async
    )
