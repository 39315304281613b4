"""What a strategy is, and where strategies are found.

A strategy is a prompt, the tools it may use and how often it answers. The shipped ones are the
modules of `routers/strategies`; a user's own is a `.toml` or `.py` file named on the command line.
Reads those files, writes nothing.
"""

import hashlib
import importlib.util
import pkgutil
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from arena.errors import UsageError
from arena.ids import check_name
from arena.messages import Sampling
from arena.toml_files import read_toml

PACKAGE = "routers.strategies"
PROMPT_BYTES_MAX = 20_000
TOOLS_MAX = 32
CADENCE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Strategy:
    """How one kind of agent trades.

    Attributes:
        name: As in the standings; letters, digits, '-' and '_'.
        prompt: The system prompt; `routers.prompt.render_system` adds the rules all agents share.
        tools: Names of the tools the agent is offered.
        cadence: Answers every n-th snapshot.
        kind: "agent" competes, "baseline" is there to compare with.
        sampling: Settings for the model; None fields leave the provider's default.
        prompt_version: Grows when the prompt's text is changed by its author.
    """

    name: str
    prompt: str
    tools: tuple[str, ...] = ()
    cadence: int = 1
    kind: Literal["agent", "baseline"] = "agent"
    sampling: Sampling = field(default_factory=Sampling)
    prompt_version: int = 1

    @property
    def prompt_sha256(self) -> str:
        """Hash of the prompt's text."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()


def shipped_names() -> tuple[str, ...]:
    """Names of the strategies in `routers/strategies`, sorted."""
    package = import_module(PACKAGE)
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load_strategy(name_or_path: str) -> Strategy:
    """The strategy of a shipped name or of a user's file.

    Args:
        name_or_path: "momentum", "buy-and-hold", or a path that ends in `.toml` or `.py`.

    Raises:
        UsageError: There is none, or it cannot be used; the message says what to change.
    """
    if name_or_path.endswith(".toml"):
        return _check(_from_toml(Path(name_or_path)), name_or_path)
    if name_or_path.endswith(".py"):
        return _check(_from_python(Path(name_or_path)), name_or_path)
    module = name_or_path.replace("-", "_")
    names = shipped_names()
    if module not in names:
        raise UsageError(
            f"there is no strategy {name_or_path!r}",
            remedy=f"take one of {', '.join(names)}, or the path of a .toml or .py file",
        )
    return _check(import_module(f"{PACKAGE}.{module}").STRATEGY, name_or_path)


def _from_toml(path: Path) -> Strategy:
    table = read_toml(path)
    known = {f.name for f in fields(Strategy)}
    if unknown := sorted(set(table) - known):
        raise UsageError(
            f"{path} has {', '.join(unknown)}, which a strategy has not",
            remedy=f"a strategy has {', '.join(sorted(known))}",
        )
    if missing := sorted({"name", "prompt"} - set(table)):
        raise UsageError(f"{path} lacks {' and '.join(missing)}")
    sampling = table.pop("sampling", {})
    tools = table.pop("tools", [])
    if not isinstance(tools, list):
        raise UsageError(f'{path}: tools is {tools!r}; write a list such as ["execute_trade"]')
    try:
        return Strategy(**table, tools=tuple(tools), sampling=Sampling.model_validate(sampling))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{path}: sampling.{first['loc'][0]}: {first['msg']}") from None


def _from_python(path: Path) -> Strategy:
    spec = importlib.util.spec_from_file_location("user_strategy", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"there is no strategy file {path}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, TypeError, ValueError) as error:
        raise UsageError(f"{path} cannot be loaded: {error!r}") from error
    found = getattr(module, "STRATEGY", None)
    if not isinstance(found, Strategy):
        raise UsageError(
            f"{path} has no STRATEGY",
            remedy="set STRATEGY = Strategy(name=..., prompt=..., tools=(...)) at its top level",
        )
    return found


def _check(strategy: Strategy, source: str) -> Strategy:
    """Return the strategy where every field can be used."""
    wrong = ""
    if not isinstance(strategy.name, str):
        wrong = f"name is {strategy.name!r}; write a string"
    elif not isinstance(strategy.prompt, str) or not strategy.prompt.strip():
        wrong = "prompt is empty; say how the agent trades"
    elif (size := len(strategy.prompt.encode())) > PROMPT_BYTES_MAX:
        wrong = f"prompt has {size:,} bytes; at most {PROMPT_BYTES_MAX:,}"
    elif len(strategy.tools) > TOOLS_MAX or not all(isinstance(t, str) for t in strategy.tools):
        wrong = f"tools is {strategy.tools!r}; write at most {TOOLS_MAX} names"
    elif type(strategy.cadence) is not int or not 1 <= strategy.cadence <= CADENCE_MAX:
        wrong = f"cadence is {strategy.cadence!r}; write a whole number from 1 to {CADENCE_MAX:,}"
    elif strategy.kind not in ("agent", "baseline"):
        wrong = f"kind is {strategy.kind!r}; write agent or baseline"
    elif type(strategy.prompt_version) is not int or strategy.prompt_version < 1:
        wrong = f"prompt_version is {strategy.prompt_version!r}; write a whole number from 1"
    if wrong:
        raise UsageError(f"strategy {source}: {wrong}")
    check_name("strategy", strategy.name)
    return strategy
