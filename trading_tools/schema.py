"""A tool's JSON schema from its signature and docstring, and the check of what a model sent.

The first parameter is the context and hidden; the others must be annotated. The docstring's
first part is the tool's description, the lines of its `Args:` section describe the parameters.
"""

import inspect
import re
import typing
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
from trading_tools.arguments import Unreadable, read_arguments, shown

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
class Refused:
    """Arguments that cannot be used.

    Attributes:
        reason: Which argument, what it was, and what to send, without a full stop.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a tool takes.

    Attributes:
        description: What the tool does. parameters: JSON schema of the arguments object.
    """

    tool: str
    description: str
    parameters: dict[str, JsonValue]
    model: type[BaseModel]

    # Any: the arguments of an arbitrary function, checked against its own annotations.
    def read(self, text: str) -> dict[str, Any] | Refused:
        """The checked arguments in a JSON text."""
        try:
            checked = self.model.model_validate(read_arguments(text))
        except Unreadable as error:
            return Refused(f"the arguments were {error}")
        except ValidationError as error:
            return Refused(self._explain(error))
        return {name: getattr(checked, name) for name in self.model.model_fields}

    def _explain(self, error: ValidationError) -> str:
        names = ", ".join(self.model.model_fields) or "none"
        found = error.errors(include_url=False, include_context=False)
        parts = []
        for one in found[:ERRORS_SHOWN_MAX]:
            name = ".".join(map(str, one["loc"]))
            if one["type"] == "missing":
                parts.append(f"{shown(name)} is missing: give {names}")
            elif one["type"] == "extra_forbidden":
                parts.append(f"{shown(name)} is no argument: give only {names}")
            else:
                reason = one["msg"].removeprefix("Value error, ")
                parts.append(f"{name} was {shown(one['input'])}: {_lower_first(reason)}")
        if len(found) > ERRORS_SHOWN_MAX:
            parts.append(f"and {len(found) - ERRORS_SHOWN_MAX} more")
        return "; ".join(parts)


# Any: an arbitrary function of the catalogue.
def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of a tool function.

    Raises:
        UsageError: No docstring, no context, or a parameter without annotation or description.
    """
    name = function.__name__
    description, documented = parse_docstring(name, inspect.getdoc(function))
    hints = typing.get_type_hints(function, include_extras=True)
    names = list(inspect.signature(function).parameters)
    if not names or names[0] != "ctx" or "ctx" not in hints:
        raise UsageError(f"tool {name} has no context", remedy="make `ctx: ToolContext` the first")
    fields: dict[str, Any] = {}  # Any: the form that create_model takes
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.name not in hints or parameter.name not in documented:
            raise UsageError(
                f"parameter {parameter.name} of tool {name} is not described",
                remedy="annotate it and give it a line under `Args:`",
            )
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        described = Field(default, description=documented[parameter.name])
        fields[parameter.name] = (hints[parameter.name], described)
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return Signature(name, description, _parameters(model), model)


def parse_docstring(name: str, text: str | None) -> tuple[str, dict[str, str]]:
    """A Google-style docstring as description and parameter descriptions.

    Raises:
        UsageError: There is none.
    """
    if not text:
        raise UsageError(f"tool {name} has no docstring", remedy="it is what a model reads")
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


def _parameters(model: type[BaseModel]) -> dict[str, JsonValue]:
    schema = TypeAdapter(model).json_schema()
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
