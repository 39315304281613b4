"""Checks the connection options of a model server: address, extra headers, extra fields. Pure.

An ARENA.toml and the flags of `arena chat-node` have the same options; both are checked here. A
secret in a header is given by its variable (`env:VARIABLE`), never as text: every user of a machine
can see command lines.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from pydantic import JsonValue

ENV = "env:"
REMOVED = "null"
"""Removes a field in an ARENA.toml: TOML does not have null."""
OPTIONS_MAX = 32
OPTION_BYTES_MAX = 8 * 1024
"""Size of all options as JSON."""
OPTION_DEPTH_MAX = 8
HEADERS_MAX = 16
HEADER_CHARS_MAX = 4_096
SECRET_CHARS_MIN = 8
"""A shorter key is a placeholder, and masking it would mask ordinary words."""

PROTECTED_OPTIONS = {
    "model": "it is set by model_id, and recorded with every call",
    "messages": "they are the conversation, which the arena keeps and audits",
    "stream": "the arena reads whole answers; leave it out",
}
"""Request fields that options cannot set, and why."""

PROTECTED_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "transfer-encoding"}
)
AUTH_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "api-key",
        "apikey",
        "x-api-key",
        "x-goog-api-key",
        "x-auth-token",
    }
)
"""Headers that authenticate the client."""
_SECRET_WORDS = ("auth", "key", "token", "secret", "cookie", "password", "credential")
_SECRET_OPTIONS = frozenset(
    {"apikey", "authorization", "accesstoken", "password", "secret", "clientsecret"}
)
_SECRET_VALUE = re.compile(
    r"(?:bearer\s+\S|sk-[A-Za-z0-9_-]{8}|gsk_\w{8}|AIza\w{8})", re.IGNORECASE
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CHAT_PATH = "/chat/completions"


def check_base_url(text: str) -> str:
    """Check a server's base address and return it.

    Raises:
        ValueError: The address cannot be used; the message has the remedy, and the address unless
            it contains a login.
    """
    shown = repr(text[:120])
    if "://" not in text:
        rest = text.strip().lstrip("/")
        if "@" in rest:
            raise ValueError("an address needs a scheme and no login; write http://HOST:PORT/v1")
        scheme = "http" if _is_near(rest) else "https"
        raise ValueError(f"{shown} has no scheme; write {scheme}://{rest}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("not an address; write http://HOST:PORT/v1") from None
    if parts.username or parts.password:
        raise ValueError(
            "a login in an address is visible to every user; leave it out, and give "
            'extra_headers = { Authorization = "env:VARIABLE" }'
        )
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{shown} has the scheme {parts.scheme!r}; write http:// or https://")
    if not parts.hostname or port == 0 or re.search(r"\s", text):
        raise ValueError(f"{shown} is not an address; write http://HOST:PORT/v1 or https://HOST/v1")
    if parts.query or parts.fragment:
        raise ValueError(
            "an address ends before ? and #; Azure's https://RESOURCE.openai.azure.com/openai/v1/ "
            "needs no api-version"
        )
    if parts.path.rstrip("/").endswith(_CHAT_PATH):
        short = text.rstrip("/").removesuffix(_CHAT_PATH)
        raise ValueError(f"the arena adds {_CHAT_PATH} itself; write {short}")
    return text


def check_header(name: str, value: str) -> None:
    """Check that a header can be sent and does not contain a secret as text.

    Raises:
        ValueError: It cannot, or it does; the message says what to write.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name; write letters, digits and -")
    if name.lower() in PROTECTED_HEADERS:
        raise ValueError(f"{name} is set by the arena; leave it out")
    if value.startswith(ENV):
        if not _VARIABLE.fullmatch(value.removeprefix(ENV)):
            raise ValueError(f"{name}: {value!r} does not name a variable; write {ENV}VARIABLE")
        return
    if _is_secret(name, value):
        raise ValueError(
            f"{name} contains a secret, which a command line shows to every user; export it, write "
            f'{name} = "{ENV}VARIABLE"'
        )
    if not can_be_sent(value):
        raise ValueError(f"{name}: {value[:40]!r} cannot be sent; write printable ASCII")


def check_headers(headers: Mapping[str, str]) -> None:
    """Check that headers can be sent: at most `HEADERS_MAX`, names unique regardless of case.

    Raises:
        ValueError: They cannot.
    """
    if len(headers) > HEADERS_MAX:
        raise ValueError(f"there are {len(headers)} headers; the limit is {HEADERS_MAX}")
    seen = {name.lower() for name in headers}
    if len(seen) < len(headers):
        raise ValueError("a header is given twice; case makes no difference")
    for name, value in headers.items():
        check_header(name, value)


def parse_headers(words: Iterable[str]) -> dict[str, str]:
    """Parse headers from flags such as `X-Title=arena` and `api-key=env:AZURE_KEY`.

    Raises:
        ValueError: One cannot be used.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{name[:40]!r} has no =; write NAME=VALUE or NAME={ENV}VARIABLE")
        if name.lower() in (known.lower() for known in found):
            raise ValueError(f"{name} is given twice")
        found[name] = value.strip()
    check_headers(found)
    return found


def header_variables(headers: Mapping[str, str]) -> frozenset[str]:
    """The environment variables that headers are read from."""
    values = (value for value in headers.values() if value.startswith(ENV))
    return frozenset(value.removeprefix(ENV) for value in values)


def resolve_headers(headers: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Replace the variables in headers by their values.

    Raises:
        ValueError: A variable is not set, or its value cannot be sent in a header.
    """
    found = {}
    for name, value in headers.items():
        if value.startswith(ENV):
            variable = value.removeprefix(ENV)
            value = environ.get(variable, "").strip()
            if not value:
                raise ValueError(
                    f"header {name}: the environment variable {variable} is not set; "
                    f"export {variable}=..."
                )
            if not can_be_sent(value):
                raise ValueError(f"header {name}: {unsendable_text(variable)}")
        found[name] = value
    return found


def can_be_sent(value: str) -> bool:
    """True if a value can be sent in a header."""
    return value.isprintable() and value.isascii() and len(value) <= HEADER_CHARS_MAX


def unsendable_text(variable: str) -> str:
    """The error for a variable whose value cannot be sent in a header, without the value."""
    return f"{variable} has characters that a header cannot have; write one line of plain ASCII"


def is_secret_header(name: str) -> bool:
    """True if a header of this name carries a secret."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def secrets_of(key: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Texts that must not appear in topics, logs or terminals, the longest first.

    Args:
        key: The server's key; "" if it has none.
        headers: Extra headers, resolved.
    """
    found = {key}
    for name, value in headers.items():
        if is_secret_header(name):
            found |= {value, value.rpartition(" ")[2]}
    # Some servers escape slashes in the JSON that repeats a key.
    found |= {secret.replace("/", "\\/") for secret in found}
    return tuple(sorted((s for s in found if len(s) >= SECRET_CHARS_MIN), key=len, reverse=True))


def key_remedy(variable: str) -> str:
    """The remedy for a missing key, for an ARENA.toml and for flags.

    Args:
        variable: The variable of the key; "" if it is not known.
    """
    export = f"export {variable}=..., or " if variable else ""
    return f"{export}name the variable that holds the key: api_key_env in TOML, --api-key-env"


def authorizes(headers: Mapping[str, str]) -> bool:
    """True if a header authenticates the client, so that no other key is needed."""
    return any(name.lower() in AUTH_HEADERS for name in headers)


def check_options(options: Mapping[str, object]) -> dict[str, JsonValue]:
    """Check options and convert them to JSON; decimals become numbers.

    Raises:
        ValueError: An option is protected, secret or not JSON, or there are too many.
    """
    found: dict[str, JsonValue] = {}
    for name, value in options.items():
        if name in PROTECTED_OPTIONS:
            raise ValueError(f"{name} cannot be set: {PROTECTED_OPTIONS[name]}")
        if not name.isprintable() or not 0 < len(name) <= 128 or "." in name or "=" in name:
            raise ValueError(f"{name[:40]!r} is not a field's name")
        found[name] = _json_of(value, name, OPTION_DEPTH_MAX)
    if len(found) > OPTIONS_MAX:
        raise ValueError(f"there are {len(found)} options; the limit is {OPTIONS_MAX}")
    size = len(json.dumps(found))
    if size > OPTION_BYTES_MAX:
        raise ValueError(f"the options have {size:,} bytes; the limit is {OPTION_BYTES_MAX:,}")
    return found


def options_of_toml(options: Mapping[str, object]) -> dict[str, JsonValue]:
    """Convert the options of an ARENA.toml: the text "null" is a null, also inside tables.

    Raises:
        ValueError: As `check_options`.
    """
    return check_options({name: _with_nulls(value) for name, value in options.items()})


def parse_options(words: Iterable[str]) -> dict[str, JsonValue]:
    """Parse options from flags such as `top_k=40`, `seed=null` and `provider.sort=price`.

    A value is parsed as JSON if possible, else taken as text; dots in the key nest objects.

    Raises:
        ValueError: One cannot be used.
    """
    found: dict[str, JsonValue] = {}
    for word in words:
        key, equals, text = word.partition("=")
        path = key.split(".")
        if not equals or not all(path):
            raise ValueError(f"{word[:60]!r} is not KEY=VALUE; for example top_k=40 or seed=null")
        table = found
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{key} nests in {part}, which has a value of its own")
            table = inner
        if path[-1] in table:
            raise ValueError(f"{key} is given twice")
        table[path[-1]] = _value(text)
    return check_options(found)


def option_flags(options: Mapping[str, JsonValue]) -> list[str]:
    """The equivalent flags, which `parse_options` reads back."""
    words = []
    for name, value in options.items():
        words += ["--option", f"{name}={json.dumps(value, ensure_ascii=False)}"]
    return words


def header_flags(headers: Mapping[str, str]) -> list[str]:
    """The equivalent flags, which `parse_headers` reads back."""
    words = []
    for name, value in headers.items():
        words += ["--extra-header", f"{name}={value}"]
    return words


def _is_near(address: str) -> bool:
    """True for an address on this machine or network, which rarely uses TLS."""
    host = address.split("/")[0].partition(":")[0]
    return host in ("localhost", "") or re.fullmatch(r"[\d.]+", host) is not None or "." not in host


def _is_secret(name: str, value: str) -> bool:
    return is_secret_header(name) or _SECRET_VALUE.match(value.strip()) is not None


def _value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


def _with_nulls(value: object) -> object:
    match value:
        case dict():
            return {name: _with_nulls(inner) for name, inner in value.items()}
        case list():
            return [_with_nulls(inner) for inner in value]
        case _:
            return None if value == REMOVED else value


def _json_of(value: object, name: str, depth: int) -> JsonValue:
    plain = re.sub(r"[^a-z]", "", name.rpartition(".")[2].lower())
    if plain in _SECRET_OPTIONS:
        raise ValueError(f"{name} is a secret, and options are recorded; use api_key_env")
    if depth <= 0:
        raise ValueError(f"{name} is nested deeper than {OPTION_DEPTH_MAX} levels")
    match value:
        case None | bool() | int():
            return value
        case str():
            if _SECRET_VALUE.match(value):
                raise ValueError(f"{name} contains a secret; name its variable with api_key_env")
            return value
        case Decimal() | float():
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"{name} is {value}, which JSON cannot represent")
            return number
        case list() | tuple():
            return [_json_of(inner, name, depth - 1) for inner in value]
        case dict():
            return {str(k): _json_of(v, f"{name}.{k}", depth - 1) for k, v in value.items()}
        case _:
            raise ValueError(f"{name} is a {type(value).__name__}, which JSON does not have")
