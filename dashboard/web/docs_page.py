"""`/api/docs`: the description of the API as a plain page, which loads nothing from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, StrictUndefined

router = APIRouter(include_in_schema=False)
Json = dict[str, Any]  # Any: decoded JSON of any shape

TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}: API</title></head>
<body>
<main>
<h1>{{ title }}: API</h1>
{% for line in description.split("\n\n") %}<p>{{ line }}</p>{% endfor %}
<p>The same for programs: <a href="{{ spec_url }}">{{ spec_url }}</a>
(OpenAPI {{ version }}). The page: <a href="/">/</a>.</p>
{% for one in operations %}
<section>
<h2><code>{{ one.method }} {{ one.path }}</code></h2>
<p>{{ one.text }}</p>
{% if one.parameters %}<table><caption>Parameters</caption>
<thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">Type</th>
<th scope="col">Meaning</th></tr></thead>
<tbody>{% for p in one.parameters %}<tr><td><code>{{ p.name }}</code>{{ " *" if p.required }}</td>
<td>{{ p.place }}</td><td>{{ p.kind }}</td><td>{{ p.text }}</td></tr>{% endfor %}</tbody></table>
{% endif %}
{% if one.body %}<p>Body: <a href="#{{ one.body }}">{{ one.body }}</a></p>{% endif %}
{% if one.answer %}<p>Answer: <a href="#{{ one.answer }}">{{ one.answer }}</a></p>{% endif %}
</section>
{% endfor %}
<h2>Types</h2>
{% for name, schema in schemas %}
<section id="{{ name }}">
<h3>{{ name }}</h3>
<pre>{{ schema.description or "" }}</pre>
<table><caption>Fields of {{ name }}</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th></tr></thead>
<tbody>{% for field, kind in schema.fields %}<tr><td><code>{{ field }}</code></td>
<td>{{ kind }}</td></tr>{% endfor %}</tbody></table>
</section>
{% endfor %}
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `required` is true if it must be given."""

    name: str
    place: str
    kind: str
    text: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path; `body` and `answer` are names of types, or ""."""

    method: str
    path: str
    text: str
    parameters: tuple[Parameter, ...]
    body: str
    answer: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A type with its fields, each with its type."""

    description: str
    fields: tuple[tuple[str, str], ...]


@router.get("/api/docs")
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    return HTMLResponse(render(request.app.openapi(), request.app.openapi_url))


def render(spec: Json, spec_url: str) -> str:
    """Draw an OpenAPI description as a page.

    Args:
        spec: The description.
        spec_url: Its address.
    """
    schemas = spec.get("components", {}).get("schemas", {})
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(TEMPLATE).render(
        title=spec["info"]["title"],
        description=spec["info"].get("description", ""),
        version=spec["openapi"],
        spec_url=spec_url,
        operations=list(operations(spec)),
        schemas=[(name, _schema(one)) for name, one in sorted(schemas.items())],
    )


def operations(spec: Json) -> Iterator[Operation]:
    """The methods of all paths, in the order of the description."""
    for path, methods in spec["paths"].items():
        for method, one in methods.items():
            yield Operation(
                method=method.upper(),
                path=path,
                text=one.get("description", one.get("summary", "")),
                parameters=tuple(_parameter(p) for p in one.get("parameters", ())),
                body=_type(_content(one.get("requestBody", {}))),
                answer=_type(_content(one["responses"].get("200", {}))),
            )


def _parameter(one: Json) -> Parameter:
    return Parameter(
        name=one["name"],
        place=one["in"],
        kind=_type(one["schema"]),
        text=one.get("description", ""),
        required=one.get("required", False),
    )


def _content(one: Json) -> Json:
    found: Json = one.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _schema(one: Json) -> Schema:
    fields = one.get("properties", {}).items()
    return Schema(one.get("description", ""), tuple((name, _type(kind)) for name, kind in fields))


def _type(schema: Json) -> str:
    """The type of a schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[key]))
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}".strip()
    return str(schema.get("format") or schema.get("type", ""))
