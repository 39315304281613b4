"""Tool schemas in the subset of JSON Schema that every provider takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from arena.tool_schema import portable_schema

KEYWORDS = ("type", "description", "enum", "items", "properties", "required")
"""The common subset."""

ORDER: dict[str, JsonValue] = {
    "type": "object",
    "$defs": {"Side": {"type": "string", "enum": ["buy", "sell"]}},
    "additionalProperties": False,
    "properties": {
        "side": {"$ref": "#/$defs/Side", "description": "Which way."},
        "quantity": {"type": "string", "format": "decimal", "description": "How much."},
        "limit": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}},
        "kind": {"const": "market"},
        "note": {"type": ["null", "string"], "default": "none"},
    },
    "required": ["side", "quantity"],
}


def test_unsupported_keywords_move_to_description() -> None:
    """References are resolved, alternatives become one type, bounds and formats become text."""
    assert {
        "type": "object",
        "properties": {
            "side": {"type": "string", "enum": ["buy", "sell"], "description": "Which way."},
            "quantity": {"type": "string", "description": "How much. (format: decimal)"},
            "limit": {"type": "number", "description": "(more than 0)"},
            "tags": {
                "type": "array",
                "items": {"type": "string", "description": "(at most 8 characters)"},
            },
            "kind": {"enum": ["market"], "type": "string"},
            "note": {"type": "string", "description": "(default: none)"},
        },
        "required": ["side", "quantity"],
    } == portable_schema(ORDER)


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}, "required": []}])
def test_tool_without_parameters_has_an_empty_object(schema: dict[str, JsonValue]) -> None:
    """Some servers refuse a missing `properties`, others an empty `required`."""
    assert {"type": "object", "properties": {}} == portable_schema(schema)


def test_recursive_schema_is_bounded() -> None:
    """Depth is bounded."""
    tree: dict[str, JsonValue] = {
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        "$ref": "#/$defs/Node",
    }

    assert "object" == portable_schema(tree)["type"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*KEYWORDS, "$ref", "anyOf", "const", "format", "default"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*KEYWORDS, "$ref", "anyOf", "$defs"]), JSON, max_size=5))
def test_any_schema_becomes_a_portable_object(schema: dict[str, JsonValue]) -> None:
    """No schema raises an error, and only the common keywords remain."""
    found = portable_schema(schema)

    assert set(found) <= set(KEYWORDS)
    assert isinstance(found["properties"], dict)
