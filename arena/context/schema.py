"""The JSON schema of one line of a file of dated context, as `--schema` prints it. Pure.

The bounds are those that `arena.context.lines` applies; `docs/context.md` repeats the text.
"""

import json
from typing import Any

from arena.context.lines import (
    FACT_NAME_PATTERN,
    ID_CHARS_MAX,
    KINDS,
    MOODS,
    PRODUCT_PATTERN,
    PRODUCTS_MAX,
    URL_PATTERN,
)
from arena.messages.context import (
    FACT_CHARS_MAX,
    FACTS_MAX,
    SOURCE_CHARS_MAX,
    TEXT_CHARS_MAX,
    TITLE_CHARS_MAX,
    URL_CHARS_MAX,
)

Schema = dict[str, Any]  # Any: any value of JSON


def line_schema() -> Schema:
    """The schema of a line, in JSON Schema 2020-12."""
    product: Schema = {"type": "string", "pattern": f"^{PRODUCT_PATTERN}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of a file of dated context",
        "type": "object",
        "required": ["kind"],
        "oneOf": [{"required": ["published_at"]}, {"required": ["after"]}],
        "properties": {
            "id": _of(
                "Id of the item; a later line with the same id corrects it.",
                type="string",
                pattern=f"^[!-~]{{1,{ID_CHARS_MAX}}}$",
            ),
            "product": _of("The product; without one the item is about the whole market.")
            | product,
            "products": _of(
                "Several products: the line makes one item for each.",
                type="array",
                items=product,
                minItems=1,
                maxItems=PRODUCTS_MAX,
            ),
            "kind": {"enum": list(KINDS)},
            "published_at": _of(
                "RFC 3339 with an offset, or Unix seconds or milliseconds.",
                type=["string", "number"],
                examples=["2026-01-01T09:30:00Z", 1767259800],
            ),
            "after": _of(
                "Instead of published_at, in simulated markets: ISO 8601 duration after the first"
                " snapshot.",
                type="string",
                examples=["PT5M", "-P1D"],
            ),
            "source": _of("Who published it.", type="string", maxLength=SOURCE_CHARS_MAX),
            "url": {"type": "string", "pattern": f"^{URL_PATTERN}$", "maxLength": URL_CHARS_MAX},
            "title": {"type": "string", "maxLength": TITLE_CHARS_MAX},
            "text": {"type": "string", "maxLength": TEXT_CHARS_MAX},
            "sentiment": {"enum": list(MOODS)},
            "score": _of(
                "From -1 (bearish) to 1 (bullish).",
                type=["number", "string"],
                minimum=-1,
                maximum=1,
            ),
            "facts": _of(
                "Name -> value, such as circulating_supply, max_supply, market_cap, unlocks.",
                type="object",
                maxProperties=FACTS_MAX,
                propertyNames={"pattern": f"^{FACT_NAME_PATTERN}$"},
                additionalProperties={"type": ["string", "number"], "maxLength": FACT_CHARS_MAX},
            ),
        },
        "allOf": [
            _needs("news", ["title", "text"]),
            _needs("sentiment", ["sentiment", "score"]),
            _needs("token_facts", ["facts"]),
        ],
    }


def schema_text() -> str:
    """The schema as indented JSON."""
    return json.dumps(line_schema(), indent=2)


def _of(description: str, **keywords: object) -> Schema:
    return {"description": description, **keywords}


def _needs(kind: str, fields: list[str]) -> Schema:
    """A rule: items of a kind have at least one of these fields."""
    return {
        "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
        "then": {"anyOf": [{"required": [name]} for name in fields]},
    }
