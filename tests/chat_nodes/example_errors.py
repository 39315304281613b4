"""Error bodies as servers write them."""

import json


def body(value: object) -> bytes:
    """JSON as servers send it."""
    return json.dumps(value).encode()


def error(message: str, **more: object) -> bytes:
    """OpenAI's form."""
    return body({"error": {"message": message, **more}})
