"""Reduces a tool's JSON Schema to the keywords that every model provider accepts. Pure.

References are resolved. `format`, `const`, bounds, `additionalProperties` and other keywords that
some provider refuses are removed, and bounds are added to the description as text. The executor
still checks the arguments against the full schema.
"""

from collections.abc import Mapping

from pydantic import JsonValue

DEPTH_MAX = 8
"""Deeper schemas are replaced by an object without properties."""
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "format": "format: {}",
    "default": "default: {}",
}
"""Keywords that are removed, and their text in the description."""

Schema = Mapping[str, JsonValue]


def portable_schema(schema: Schema, *, bare: bool = False) -> dict[str, JsonValue]:
    """The schema of an arguments object in the common subset.

    Args:
        schema: JSON schema of an object, with `$defs` at its top level.
        bare: True to remove descriptions as well: a last resort for a server that refuses a schema.
    """
    definitions = schema.get("$defs")
    found = _portable(schema, definitions if isinstance(definitions, Mapping) else {}, bare, 0)
    if found["type"] != "object":
        return {"type": "object", "properties": {}}
    return found


def _portable(schema: Schema, definitions: Schema, bare: bool, depth: int) -> dict[str, JsonValue]:
    if depth > DEPTH_MAX:
        return {"type": "object", "properties": {}}
    schema = _resolved(schema, definitions)
    kind = _type(schema, depth)
    found: dict[str, JsonValue] = {"type": kind}
    if enum := _texts(schema.get("enum", [schema.get("const")])):
        found["enum"] = [*enum]
    if not bare and (text := _description(schema)):
        found["description"] = text
    if kind == "object":
        properties = {
            name: _portable(part, definitions, bare, depth + 1)
            for name, part in _mapping(schema.get("properties")).items()
            if isinstance(part, Mapping)
        }
        found["properties"] = {**properties}
        if required := [r for r in _texts(schema.get("required")) if r in properties]:
            found["required"] = [*required]
    elif kind == "array":
        items = schema.get("items")
        first = items[0] if isinstance(items, list) and items else items
        inner = _portable(_mapping(first), definitions, bare, depth + 1) if first else {}
        found["items"] = inner or {"type": "string"}
    return found


def _type(schema: Schema, depth: int) -> str:
    """The type of a schema; the first that is not null if there are several."""
    asked = schema.get("type")
    names = _texts(asked if isinstance(asked, list) else [asked])
    implied = "object" if "properties" in schema or not depth else "string"
    return next((name for name in names if name != "null"), implied)


def _texts(value: JsonValue) -> list[str]:
    """The texts of a list; empty if the list has other values."""
    if not isinstance(value, list):
        return []
    texts = [item for item in value if isinstance(item, str)]
    return texts if len(texts) == len(value) else []


def _mapping(value: JsonValue) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """Resolve references and alternatives; the first alternative that is not null is used."""
    for _ in range(DEPTH_MAX):
        reference = schema.get("$ref")
        alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        part: JsonValue = None
        if isinstance(reference, str):
            part = definitions.get(reference.rpartition("/")[2])
        elif isinstance(alternatives, list):
            real = (a for a in alternatives if isinstance(a, dict) and a.get("type") != "null")
            part = next(real, None)
        elif "$ref" not in schema:
            return schema
        rest = {k: v for k, v in schema.items() if k not in ("$ref", "anyOf", "oneOf", "allOf")}
        schema = {**(part if isinstance(part, Mapping) else {}), **rest}
    return schema


def _description(schema: Schema) -> str:
    text = schema.get("description")
    parts = [text] if isinstance(text, str) and text else []
    bounds = [
        words.format(schema[key])
        for key, words in BOUNDS.items()
        if isinstance(schema.get(key), str | int | float) and schema[key] != ""
    ]
    if bounds:
        parts.append(f"({'; '.join(bounds)})")
    return " ".join(parts)
