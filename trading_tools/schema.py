"""Derives a tool's JSON schema from its signature and docstring, and checks models' arguments.

A parameter that takes the context is hidden; the others must be annotated. The docstring's first
part is the tool's description, and the lines of its `Args:` section describe the parameters.
"""

import inspect
import re
import typing
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from arena.errors import UsageError
from arena.money import parse_decimal
from trading_tools.arguments import UnreadableArguments, quoted, read_arguments
from trading_tools.context import ToolContext

NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
TYPES = "str, int, float, bool, Decimal, Literal, list or dict"
"""Types that every model can write."""
COUNTS = ("days", "hours", "minutes", "periods", "bars", "times", "count", "n", "limit", "length")
"""Parameters with these names are usually whole numbers."""
ERRORS_SHOWN_MAX = 5
SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Example|Examples):\s*$")
ARGUMENT = re.compile(r"^(\w+)\s*(?:\([^)]*\))?:\s+(.+)$")


def _exact(value: object) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_decimal(Decimal(value))
    return parse_decimal(value)


ExactDecimal = Annotated[
    Decimal, BeforeValidator(_exact), WithJsonSchema({"type": "string", "format": "decimal"})
]
"""A parameter that takes a decimal as JSON text, or as a JSON number read digit by digit."""


@dataclass(frozen=True, slots=True)
class InvalidArguments:
    """Arguments that cannot be used.

    Attributes:
        reason: The argument, its value, and what to send instead, without a full stop.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Signature:
    """The name, description and parameters of a tool.

    Attributes:
        description: What the tool does.
        parameters: JSON schema of the arguments object.
        model: Checks the arguments.
        context: The parameter that takes the context; "" if the tool has none.
    """

    tool: str
    description: str
    parameters: dict[str, JsonValue]
    model: type[BaseModel]
    context: str = "ctx"

    # Any: the arguments of an arbitrary function, checked against its own annotations.
    def read(self, text: str) -> dict[str, Any] | InvalidArguments:
        """Read and check the arguments in a JSON text."""
        try:
            checked = self.model.model_validate(read_arguments(text))
        except UnreadableArguments as error:
            return InvalidArguments(f"the arguments were {error}")
        except ValidationError as error:
            return InvalidArguments(self._explain(error))
        return {name: checked.__dict__[name] for name in self.model.model_fields}

    @property
    def undescribed(self) -> list[str]:
        """The parameters that no line under `Args:` describes."""
        fields = self.model.model_fields.items()
        return [name for name, found in fields if not found.description]

    def _explain(self, error: ValidationError) -> str:
        fields = self.model.model_fields
        names = ", ".join(fields)
        needed = ", ".join(name for name, field in fields.items() if field.is_required())
        found = error.errors(include_url=False, include_context=False)
        parts = []
        for one in found[:ERRORS_SHOWN_MAX]:
            name = ".".join(map(str, one["loc"]))
            if one["type"] == "missing":
                parts.append(f"{quoted(name)} is missing: give {needed}")
            elif one["type"] == "extra_forbidden":
                known = f"give only {names}" if names else "the tool takes none"
                parts.append(f"{quoted(name)} is no argument: {known}")
            else:
                reason = one["msg"].removeprefix("Value error, ")
                parts.append(f"{name} was {quoted(one['input'])}: {_lower_first(reason)}")
        if len(found) > ERRORS_SHOWN_MAX:
            parts.append(f"and {len(found) - ERRORS_SHOWN_MAX} more")
        return "; ".join(parts)


# Any: an arbitrary function of the catalogue.
def signature_of(function: Callable[..., Any]) -> Signature:
    """Derive the signature of a tool function from its type hints and docstring.

    The context is the parameter that is called `ctx` or annotated as a `ToolContext`; a tool may
    have none. A parameter needs a type hint; a line under `Args:` describes it to models.

    Raises:
        UsageError: Something is missing; the message says what to write.
    """
    name = function.__name__
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"tool {name!r} has a name that models cannot call",
            remedy="name it with up to 64 letters of a-z, digits and _",
        )
    description, documented = parse_docstring(name, inspect.getdoc(function))
    hints = hints_of(function)
    context = context_of(function, hints)
    fields: dict[str, Any] = {}  # Any: the form that create_model takes
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != context:
            fields[parameter.name] = _field(name, parameter, hints, documented)
    model = _model(name, fields)
    return Signature(name, description, _parameters(name, model), model, context)


# Any: as above; hints are whatever an annotation may be.
def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The type hints of a tool function.

    Raises:
        UsageError: One of them cannot be resolved.
    """
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # the boundary to extensions: an annotation is any expression
        raise UsageError(
            f"tool {function.__name__}: a type hint cannot be used: {error}",
            remedy=f"use {TYPES}, and import what a hint names",
        ) from None


def context_of(function: Callable[..., Any], hints: dict[str, Any]) -> str:
    """The parameter that takes the context; "" if the tool has none."""
    for name in inspect.signature(function).parameters:
        hint = hints.get(name)
        if name == "ctx" or (isinstance(hint, type) and issubclass(hint, ToolContext)):
            return name
    return ""


def _field(
    tool: str, parameter: inspect.Parameter, hints: dict[str, Any], documented: dict[str, str]
) -> tuple[Any, Any]:
    """A parameter as a field of the model that checks the arguments."""
    name = parameter.name
    what = f"tool {tool}: parameter `{name}`"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise UsageError(f"{what} takes any number of values", remedy="write each one by its name")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise UsageError(f"{what} cannot be given by its name", remedy="leave out the `/`")
    if name.startswith("_"):
        raise UsageError(
            f"{what} starts with `_`", remedy="give it a name that a model understands"
        )
    if name not in hints:
        raise UsageError(f"{what} has no type hint", remedy=f"write `{name}: {_guess(parameter)}`")
    default = ... if parameter.default is parameter.empty else parameter.default
    _check_default(what, hints[name], default)
    described = documented.get(name)
    return hints[name], Field(default) if described is None else Field(
        default, description=described
    )


def _check_default(what: str, hint: Any, default: object) -> None:
    """Check that a type has a JSON schema, and that the default fits it."""
    try:
        adapter = TypeAdapter(hint)
        adapter.json_schema()
    except Exception as error:  # pydantic's errors, or the hint is not a type
        shown_hint = getattr(hint, "__name__", str(hint))
        raise UsageError(
            f"{what} has the type {shown_hint}, which a model cannot write as JSON",
            remedy=f"use {TYPES}",
        ) from error
    if default is not ... and default is not None:
        try:
            adapter.dump_json(adapter.validate_python(default))
        except ValueError:
            raise UsageError(
                f"{what} has the default {quoted(default)}, which is not of its type",
                remedy="give it a default that a model could have sent",
            ) from None


def _guess(parameter: inspect.Parameter) -> str:
    """A type to suggest for a parameter."""
    default = parameter.default
    if default is not parameter.empty and isinstance(default, bool | int | float | str):
        return type(default).__name__
    counts = (*COUNTS, *(f"{word[:-1]}" for word in COUNTS if word.endswith("s")))
    return "int" if parameter.name.lower().rpartition("_")[2] in counts else "str"


def _model(tool: str, fields: dict[str, Any]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", protected_namespaces=())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a field may have the name of a model's method
            model: type[BaseModel] = create_model(tool, __config__=config, **fields)
        if lost := sorted(fields.keys() - model.model_fields.keys()):
            raise NameError(f"`{lost[0]}` is a reserved name")
    except Exception as error:  # pydantic raises many kinds, such as for a reserved name
        raise UsageError(
            f"tool {tool}: its parameters cannot be checked: {str(error)[:200]}",
            remedy="rename the parameter",
        ) from error
    return model


def parse_docstring(name: str, text: str | None) -> tuple[str, dict[str, str]]:
    """Parse a Google-style docstring into description and parameter descriptions.

    Raises:
        UsageError: There is none.
    """
    if not text:
        raise UsageError(
            f"tool {name} has no docstring",
            remedy="write what it does, in one line under its `def`: models read it",
        )
    description: list[str] = []
    documented: dict[str, str] = {}
    section, last = "", ""
    for line in text.splitlines():
        if heading := SECTION.match(line):
            section, last = heading[1], ""
        elif not section:
            description.append(line.strip())
        elif section == "Args" and (found := ARGUMENT.match(line.strip())):
            last = found[1]
            documented[last] = found[2]
        elif section == "Args" and last and line.strip():
            documented[last] += f" {line.strip()}"
    return " ".join(" ".join(description).split()), documented


def _parameters(tool: str, model: type[BaseModel]) -> dict[str, JsonValue]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = TypeAdapter(model).json_schema()
    except Exception as error:  # as in `_model`
        raise UsageError(
            f"tool {tool}: its parameters have no JSON schema: {str(error)[:200]}",
            remedy=f"use {TYPES}",
        ) from error
    properties: dict[str, JsonValue] = {
        name: {key: value for key, value in found.items() if key != "title"}
        for name, found in schema.get("properties", {}).items()
    }
    parameters: dict[str, JsonValue] = {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    if "$defs" in schema:
        parameters["$defs"] = schema["$defs"]
    return parameters


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
