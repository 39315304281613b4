"""Example error bodies of servers."""

import json


def body(value: object) -> bytes:
    """A value as a JSON body."""
    return json.dumps(value).encode()


def error(message: str, **more: object) -> bytes:
    """An error in OpenAI's form."""
    return body({"error": {"message": message, **more}})
