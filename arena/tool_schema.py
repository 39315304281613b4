"""The part of JSON Schema that every model provider takes for a tool's parameters. Pure.

References are put in place; `format`, `const`, bounds, `additionalProperties` and whatever else
some provider refuses are left out, and what the bounds said is added to the description. The
executor checks the arguments in full all the same.
"""

from collections.abc import Mapping

from pydantic import JsonValue

KEPT = ("type", "description", "enum", "items", "properties", "required")
BARE = ("type", "enum", "items", "properties", "required")
DEPTH_MAX = 8
"""Deeper schemas are cut to an object without properties."""
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
"""Keywords that are left out, and how the description says them."""

Schema = Mapping[str, JsonValue]


def portable_schema(schema: Schema, *, bare: bool = False) -> dict[str, JsonValue]:
    """The schema of an arguments object in the common subset.

    Args:
        schema: JSON schema of an object, with `$defs` at its top level.
        bare: Leave descriptions out too: a last resort for a server that refuses a schema.
    """
    definitions = schema.get("$defs")
    found = _portable(schema, definitions if isinstance(definitions, Mapping) else {}, bare, 0)
    found.setdefault("type", "object")
    found.setdefault("properties", {})
    if not found.get("required"):
        found.pop("required", None)
    return found


def _portable(schema: Schema, definitions: Schema, bare: bool, depth: int) -> dict[str, JsonValue]:
    schema = _resolved(schema, definitions)
    if depth > DEPTH_MAX:
        return {"type": "object"}
    found: dict[str, JsonValue] = {}
    for key in BARE if bare else KEPT:
        if key not in schema:
            continue
        value = schema[key]
        if key == "properties" and isinstance(value, Mapping):
            found[key] = {
                name: _portable(part, definitions, bare, depth + 1)
                for name, part in value.items()
                if isinstance(part, Mapping)
            }
        elif key == "items":
            part = value[0] if isinstance(value, list) and value else value
            found[key] = (
                _portable(part, definitions, bare, depth + 1)
                if isinstance(part, Mapping)
                else {"type": "string"}
            )
        elif key == "type" and isinstance(value, list):
            found[key] = next((v for v in value if v != "null"), "string")
        elif key == "enum" and isinstance(value, list):
            texts = [v for v in value if isinstance(v, str)]
            if texts and len(texts) == len(value):
                found[key] = list(texts)
        else:
            found[key] = value
    if "const" in schema and isinstance(schema["const"], str):
        found["enum"] = [schema["const"]]
    found.setdefault("type", "string" if depth else "object")
    if found["type"] == "array":
        found.setdefault("items", {"type": "string"})
    if not bare and (text := _description(schema)):
        found["description"] = text
    return found


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema without references and alternatives: the first that is not null is taken."""
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
    said = schema.get("description")
    parts = [said] if isinstance(said, str) and said else []
    bounds = [
        words.format(schema[key])
        for key, words in BOUNDS.items()
        if isinstance(schema.get(key), str | int | float) and schema[key] != ""
    ]
    if bounds:
        parts.append(f"({'; '.join(bounds)})")
    return " ".join(parts)
