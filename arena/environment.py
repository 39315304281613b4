"""The environment variables of the arena: their purpose, and which a `.env` may set. Pure.

`.env.example` is `example_text()`. A `.env` file may come from an untrusted folder, so it can set
only the variables listed here and keys that the ARENA.toml names, never a variable that decides
which code runs.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from arena.alert_settings import RECEIVERS_VARIABLE

KEY = "OPENAI_API_KEY"
KEY_ALIAS = "LLM_API_KEY"
"""Used if `OPENAI_API_KEY` is not set."""
TOKEN_BUDGET = "DAILY_TOKEN_BUDGET"
INITIAL_CASH = "INITIAL_CASH"
HISTORY = "HISTORICAL_MINUTES"
POSITION_SHARE = "MAX_POSITION_SIZE_PCT"
"""A share of equity, although its name says percent: 0.10 is 10 %."""


class Variable(NamedTuple):
    """An environment variable.

    Attributes:
        name: Name of the variable.
        example: An example value.
        text: Its purpose.
    """

    name: str
    example: str
    text: str


class VariableGroup(NamedTuple):
    """Variables that belong together.

    Attributes:
        title: Title of the group.
        variables: Variables, in the order in which they are shown.
        from_file: True if a `.env` may set them.
    """

    title: str
    variables: tuple[Variable, ...]
    from_file: bool = True


GROUPS = (
    VariableGroup(
        "Models. Only the chat nodes that name a key can read it.",
        (
            Variable(KEY, "sk-...", "key of the model's provider"),
            Variable(KEY_ALIAS, "sk-...", f"another name for {KEY}"),
            Variable("OPENAI_BASE_URL", "http://localhost:8080/v1", "another provider's address"),
            Variable(TOKEN_BUDGET, "100000", "tokens per day of a chat node without a budget"),
        ),
    ),
    VariableGroup(
        "The arena.",
        (
            Variable(INITIAL_CASH, "100000", "cash of an account, if the ARENA.toml sets none"),
            Variable(HISTORY, "60", "least minutes of candles before the first snapshot"),
            Variable(POSITION_SHARE, "0.10", "largest position as a share of equity: 10 %"),
            Variable("ARENA_HOME", ".arena", "local state: broker data, runs, logs"),
            Variable("ARENA_CANDLES_HOME", ".arena", "home of the cache of candles, if another"),
            Variable("ARENA_PREFIX", "team-a.", "prefix of every topic and group of this arena"),
            Variable("DATABASE_URL", "sqlite:///books.db", "database of the ledger's books"),
            Variable("ARENA_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
            Variable("ARENA_LOG_FORMAT", "auto", "auto, pretty or json"),
            Variable("ARENA_DEBUG", "0", "1 prints tracebacks and library logs"),
            Variable("ARENA_HEARTBEAT_INTERVAL_S", "5", "seconds between heartbeats of a process"),
            Variable("ARENA_STUCK_S", "120", "seconds after which a stuck reader ends its process"),
            Variable("ARENA_CHECKPOINT_EVENTS", "50000", "events between two checkpoints"),
            Variable(
                "ARENA_FILE_LIMITS_FACTOR", "1", "factor for the size limits of files that are read"
            ),
            Variable("NO_COLOR", "1", "no colours"),
            Variable("FORCE_COLOR", "1", "colours in a pipe as well"),
        ),
    ),
    VariableGroup(
        "Receivers of alerts. Only `arena alerts` reads them.",
        (
            Variable(
                RECEIVERS_VARIABLE,
                "json://host/path tgram://token/chat",
                "addresses in Apprise's form, separated by blanks",
            ),
        ),
    ),
    VariableGroup(
        "The brokers.",
        (
            Variable("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092", "addresses, comma-separated"),
            Variable("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "or SSL, SASL_PLAINTEXT, SASL_SSL"),
            Variable("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "or SCRAM-SHA-256, PLAIN"),
            Variable("KAFKA_SASL_USERNAME", "executor", "user name of this process"),
            Variable("KAFKA_SASL_PASSWORD", "...", "its password"),
            Variable("KAFKA_SASL_PASSWORD_FILE", "password.txt", "or a file with the password"),
            Variable("KAFKA_SSL_CAFILE", "ca.pem", "certificate authorities to trust"),
            Variable("KAFKA_SSL_CA", "LS0tLS1C...", "the content of that file in base64"),
            Variable("KAFKA_SSL_CERTFILE", "client.pem", "certificate of this process"),
            Variable("KAFKA_SSL_KEYFILE", "client.key", "its key"),
            Variable("KAFKA_SSL_KEY_PASSWORD", "...", "password of the key"),
            Variable("KAFKA_SSL_KEY_PASSWORD_FILE", "password.txt", "or a file with the password"),
            Variable("ARENA_IDEMPOTENCE", "true", "false for brokers that refuse such producers"),
            Variable("ARENA_FETCH_WAIT_MS", "500", "how long a broker may hold an empty fetch"),
        ),
    ),
    VariableGroup(
        "These decide which code runs: export them; a .env file cannot set them.",
        (
            Variable("ARENA_PLUGINS", "plugins", "folders of tools and strategies, as in PATH"),
            Variable("ARENA_CACHE", "~/.cache/arena", "folder of the broker's jars"),
            Variable("JAVA_HOME", "/usr/lib/jvm/java-17", "a Java for the broker"),
        ),
        from_file=False,
    ),
)
KNOWN = frozenset(v.name for group in GROUPS if group.from_file for v in group.variables)
MODEL_KEYS = frozenset({KEY, KEY_ALIAS})
"""Known secrets that only processes with model calls need."""
SECRETS = MODEL_KEYS | {RECEIVERS_VARIABLE}
"""Known secrets that only some processes need."""
SECRET_PATTERN = r"[A-Z][A-Z0-9_]*_(KEY|TOKEN|SECRET|PASSWORD)"
CODE_PATTERN = (
    r"PATH|HOME|SHELL|ENV|BASH_ENV|IFS|TMPDIR|(PYTHON|LD_|DYLD_|_?JAVA|JDK|JVM|XDG_|SSL_|OPENSSL"
    r"|GCONV|MALLOC|GIT_|ARENA_|KAFKA_).*|.*_PROXY|.*_PRELOAD"
)
"""Names that decide which code runs and where it connects: no `.env` file may set them."""

HEAD = """\
# Copy this file to `.env`, remove the `#` from a line, and write your value.
#
# `arena up`, `arena compete run` and `arena doctor` read the `.env` beside the ARENA.toml; every
# other command reads the one in the current folder. A variable that is already set is not changed,
# and values are never printed. ${OTHER} in a value is not replaced. In single quotes, '...', every
# character is literal.
#
# A chat node's key may have any name that ends in _KEY or _TOKEN: name it with `api_key_env` in the
# ARENA.toml, and write it here, for example DEEPSEEK_API_KEY=...
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
        name: Name of the variable.
        named: Variables that the ARENA.toml names.
        keys: True for a process whose model has a key that no file names.
    """
    if name in KNOWN - SECRETS or (name in SECRETS and name in named):
        return True
    if re.fullmatch(CODE_PATTERN, name):
        return False
    return name in named or (keys and re.fullmatch(SECRET_PATTERN, name) is not None)


def named_variables(value: object, depth: int = 8) -> Iterable[str]:
    """Variables named in an ARENA.toml's tables: in `api_key_env`, and in "env:NAME" of headers."""
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
