"""The environment variables of the arena: what each is for, and which a `.env` may set. Pure.

`.env.example` is `example_text()`. A `.env` file may have come with a stranger's folder, so it sets
only variables that are known here, and keys that the ARENA.toml names; never one that decides which
code runs.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

KEY = "OPENAI_API_KEY"
KEY_ALIAS = "LLM_API_KEY"
"""Taken for `OPENAI_API_KEY` where that is not set."""
TOKEN_BUDGET = "DAILY_TOKEN_BUDGET"
INITIAL_CASH = "INITIAL_CASH"
HISTORY = "HISTORICAL_MINUTES"


class Variable(NamedTuple):
    """An environment variable.

    Attributes:
        name: As it is set. example: a value to start from. text: what it is for.
    """

    name: str
    example: str
    text: str


class VariableGroup(NamedTuple):
    """Variables that belong together.

    Attributes:
        title: Of the group. variables: in the order in which they are shown.
        from_file: True if a `.env` may set them.
    """

    title: str
    variables: tuple[Variable, ...]
    from_file: bool = True


GROUPS = (
    VariableGroup(
        "Models. Only the chat nodes that name a key see it.",
        (
            Variable(KEY, "sk-...", "key of the model's provider"),
            Variable(KEY_ALIAS, "sk-...", f"another name of {KEY}"),
            Variable("OPENAI_BASE_URL", "http://localhost:8080/v1", "another provider's address"),
            Variable(TOKEN_BUDGET, "100000", "tokens a day, of chat nodes without a budget"),
        ),
    ),
    VariableGroup(
        "The arena.",
        (
            Variable(INITIAL_CASH, "100000", "cash of an account; an ARENA.toml's own goes first"),
            Variable(HISTORY, "299", "minutes of candles that prompts need; 299 are loaded"),
            Variable("ARENA_HOME", ".arena", "local state: broker data, runs, logs"),
            Variable("ARENA_PREFIX", "team-a.", "before every topic and group of this arena"),
            Variable("DATABASE_URL", "sqlite:///books.db", "where the ledger keeps the books"),
            Variable("ARENA_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
            Variable("ARENA_LOG_FORMAT", "auto", "auto, pretty or json"),
            Variable("ARENA_DEBUG", "0", "1 prints tracebacks, and what libraries log"),
            Variable("ARENA_HEARTBEAT_INTERVAL_S", "5", "seconds between heartbeats of a process"),
            Variable("ARENA_STUCK_S", "120", "seconds after which a reader that gets nothing ends"),
            Variable("ARENA_CHECKPOINT_EVENTS", "50000", "events between two checkpoints"),
            Variable(
                "ARENA_FILE_LIMITS_FACTOR", "1", "multiplies the limits of files that are read"
            ),
            Variable("NO_COLOR", "1", "no colours"),
            Variable("FORCE_COLOR", "1", "colours in a pipe, too"),
        ),
    ),
    VariableGroup(
        "The brokers.",
        (
            Variable("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092", "addresses, comma-separated"),
            Variable("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "or SSL, SASL_PLAINTEXT, SASL_SSL"),
            Variable("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "or SCRAM-SHA-256, PLAIN"),
            Variable("KAFKA_SASL_USERNAME", "executor", "who this process is"),
            Variable("KAFKA_SASL_PASSWORD", "...", "its password"),
            Variable("KAFKA_SASL_PASSWORD_FILE", "password.txt", "or a file that holds it"),
            Variable("KAFKA_SSL_CAFILE", "ca.pem", "authorities to trust"),
            Variable("KAFKA_SSL_CA", "LS0tLS1C...", "the same file's content in base64"),
            Variable("KAFKA_SSL_CERTFILE", "client.pem", "certificate of this process"),
            Variable("KAFKA_SSL_KEYFILE", "client.key", "its key"),
            Variable("KAFKA_SSL_KEY_PASSWORD", "...", "password of the key"),
            Variable("KAFKA_SSL_KEY_PASSWORD_FILE", "password.txt", "or a file that holds it"),
            Variable("ARENA_IDEMPOTENCE", "true", "false for brokers that refuse such producers"),
            Variable("ARENA_FETCH_WAIT_MS", "500", "how long a broker may hold an empty fetch"),
        ),
    ),
    VariableGroup(
        "These decide which code runs: export them, a .env file cannot set them.",
        (
            Variable("ARENA_PLUGINS", "plugins", "folders of tools and strategies, as in PATH"),
            Variable("ARENA_CACHE", "~/.cache/arena", "where the broker's jars are kept"),
            Variable("JAVA_HOME", "/usr/lib/jvm/java-17", "a Java for the broker"),
        ),
        from_file=False,
    ),
)
KNOWN = frozenset(v.name for group in GROUPS if group.from_file for v in group.variables)
MODEL_KEYS = frozenset({KEY, KEY_ALIAS})
"""Known secrets that only processes which ask models need."""
SECRET_PATTERN = r"[A-Z][A-Z0-9_]*_(KEY|TOKEN|SECRET|PASSWORD)"
CODE_PATTERN = (
    r"PATH|HOME|SHELL|ENV|BASH_ENV|IFS|TMPDIR|(PYTHON|LD_|DYLD_|_?JAVA|JDK|JVM|XDG_|SSL_|OPENSSL"
    r"|GCONV|MALLOC|GIT_|ARENA_|KAFKA_).*|.*_PROXY|.*_PRELOAD"
)
"""Names that decide which code runs and whom it talks to: no file sets them by being named."""

HEAD = """\
# Copy this file to `.env`, take the `#` off a line, and write your value.
#
# `arena up`, `arena compete run` and `arena doctor` read the `.env` beside the ARENA.toml; every
# other command that of the current folder. A variable that is set already is never changed, and no
# value is printed. Values are taken as they are: ${OTHER} is not replaced. In single quotes, '...',
# every character is taken as it is written.
#
# A chat node's key may have any name that ends in _KEY or _TOKEN: `api_key_env` of the ARENA.toml
# says it, and the line here is for example DEEPSEEK_API_KEY=...
"""


def example_text() -> str:
    """The content of `.env.example`."""
    lines = [HEAD]
    for group in GROUPS:
        lines.append(f"# --- {group.title}")
        lines += [f"# {one.text}\n#{one.name}={one.example}" for one in group.variables]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def may_set(name: str, named: Collection[str], *, keys: bool) -> bool:
    """True if a `.env` may set a variable.

    Args:
        name: Of the variable.
        named: Variables that the ARENA.toml names.
        keys: True for a process that asks a model whose key nothing names.
    """
    if name in KNOWN - MODEL_KEYS:
        return True
    if re.fullmatch(CODE_PATTERN, name):
        return False
    return name in named or (keys and re.fullmatch(SECRET_PATTERN, name) is not None)


def named_variables(value: object, depth: int = 8) -> Iterable[str]:
    """The variables that tables of an ARENA.toml name: `api_key_env`, and "env:NAME" of headers."""
    if depth == 0:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "api_key_env" and isinstance(inner, str):
                yield inner
            else:
                yield from named_variables(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            yield from named_variables(inner, depth - 1)
    elif isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:").strip()
