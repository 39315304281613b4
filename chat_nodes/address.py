"""The address of a model server: its base URL, parsed once and shown in every error. Pure."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from arena.errors import UsageError

CHAT_PATH = "/chat/completions"
SHOWN_CHARS_MAX = 200

_USERINFO = re.compile(r"//[^/@\s]{1,1000}@")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a model server.

    Attributes:
        base_url: URL without its query; the client appends the path of the endpoint.
        query: Query parameters of every request, such as Azure's `api-version`.
        url: URL of the endpoint, for people: scheme, host, port and path.
        host: Host name of the server.
    """

    base_url: str
    url: str
    host: str
    query: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def hint(self) -> str:
        """What may be wrong with a path that the server does not know."""
        if re.search(r"/v\d", self.url):
            return "is the path of --base-url right?"
        return f"does --base-url need /v1? such as {self.url.removesuffix(CHAT_PATH)}/v1"


def read_address(base_url: str) -> Address:
    """Parse a base URL; the whole URL of the chat endpoint works too.

    Raises:
        UsageError: It has no scheme, a scheme other than HTTP, no host, or a login.
    """
    text = base_url.strip()
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise _wrong(text, "it needs a scheme and a host")
    if "@" in parts.netloc:
        raise _wrong(text, "a login in it would be visible; use --api-key-env or --extra-header")
    path = parts.path.rstrip("/").removesuffix(CHAT_PATH).rstrip("/")
    return Address(
        base_url=f"{parts.scheme}://{parts.netloc}{path}",
        url=f"{parts.scheme}://{parts.netloc}{path}{CHAT_PATH}"[:SHOWN_CHARS_MAX],
        host=host,
        query=dict(parse_qsl(parts.query)),
    )


def _wrong(text: str, why: str) -> UsageError:
    shown = _USERINFO.sub("//", text)[:SHOWN_CHARS_MAX]
    plain = re.sub(r"^[a-z]*:?//", "", shown)
    example = f"http://{plain}" if plain else "http://localhost:8080/v1"
    if plain and "/" not in plain:
        example += "/v1"
    return UsageError(f"--base-url {shown!r} is not an address: {why}", remedy=f"write {example}")
