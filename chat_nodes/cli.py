"""The command `arena chat-node`: serve one model to the agents.

A key given as a flag is taken out of the process's command line before anything else happens.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from arena.errors import UsageError
from arena.ids import check_name
from arena.node import Node, run_node
from arena.settings import Settings
from chat_nodes.models import SCRIPTED, open_model, provider_of
from chat_nodes.models.base import Model, ModelSettings

if TYPE_CHECKING:
    from chat_nodes.recordings import Recordings

DEFAULT_KEY_ENV = "OPENAI_API_KEY"


class LogLevel(StrEnum):
    """The levels of `--log-level`."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Replies(StrEnum):
    """The ways of `--replies`."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"


RepliesMode = Annotated[
    Replies, typer.Option(help="Record every reply, or answer from those recorded.")
]
RepliesFile = Annotated[
    Path | None,
    typer.Option(help="FILE.jsonl is kept as FILE.<name>.jsonl.", show_default=False),
]
Servers = Annotated[
    str | None,
    typer.Option(help="Kafka addresses. [env: KAFKA_BOOTSTRAP_SERVERS]", show_default=False),
]


def chat_node(
    name: Annotated[str, typer.Option(help="Of the node; agents address it by this name.")],
    model_id: Annotated[
        str, typer.Option(help="As the provider spells it, or 'scripted' for built-in rules.")
    ],
    base_url: Annotated[
        str,
        typer.Option(envvar="OPENAI_BASE_URL", help="Of an OpenAI-compatible server."),
    ] = "",
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable that holds the key.")
    ] = DEFAULT_KEY_ENV,
    api_key: Annotated[
        str, typer.Option(help="The key itself; prefer --api-key-env.", show_default=False)
    ] = "",
    bootstrap_servers: Servers = None,
    max_workers: Annotated[int, typer.Option(min=1, max=1000, help="Calls at once.")] = 10,
    reasoning_effort: Annotated[
        str, typer.Option(help="Passed to reasoning models, such as 'low'.", show_default=False)
    ] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds per attempt.")] = 60.0,
    max_retries: Annotated[int, typer.Option(min=0, max=20, help="Attempts after the first.")] = 3,
    max_completion_tokens: Annotated[
        int, typer.Option(min=0, help="Cap per call; 0 is the provider's default.")
    ] = 0,
    daily_token_budget: Annotated[
        int, typer.Option(min=0, help="Tokens per UTC day, then calls are refused; 0 is no limit.")
    ] = 0,
    replies: RepliesMode = Replies.LIVE,
    replies_file: RepliesFile = None,
    log_level: Annotated[LogLevel | None, typer.Option(case_sensitive=False)] = None,
) -> None:
    """Serve one model to every agent that names this node.

    Example: arena chat-node --name rules --model-id scripted
    """
    if api_key:
        _hide_command_line(name, api_key)
    check_name("chat node", name)
    settings = Settings().override(
        bootstrap_servers=bootstrap_servers, log_level=log_level and log_level.value
    )
    recordings = _open_recordings(replies, replies_file, name)
    replay = replies is Replies.REPLAY
    key = "" if replay else api_key or _key_from_environment(model_id, base_url, api_key_env)
    model_settings = ModelSettings(
        model_id=model_id,
        base_url=base_url,
        api_key=key,
        reasoning_effort=reasoning_effort,
        max_completion_tokens=max_completion_tokens,
        max_connections=max_workers,
    )
    model = _open_model(model_settings, recordings)

    async def serve(node: Node) -> None:
        # Here, so that `--help` and a wrong flag answer without the model's libraries.
        from chat_nodes.answer import CallLimits
        from chat_nodes.node import ChatNodeSettings, serve_model

        if api_key:
            node.log.warning("the key was given as a flag; --api-key-env NAME keeps it private")
        elif key and base_url:
            node.log.info("sends the key", variable=api_key_env, host=urlsplit(base_url).hostname)
        limits = CallLimits(timeout_s=timeout, max_retries=max_retries)
        chat_settings = ChatNodeSettings(max_workers, limits, daily_token_budget)
        await serve_model(node, model, chat_settings, recordings)

    run_node("chat-node", name, settings, serve)


def _open_recordings(replies: Replies, file: Path | None, name: str) -> "Recordings | None":
    if (replies is Replies.LIVE) != (file is None):
        raise UsageError(
            f"--replies {replies.value} with --replies-file {file}",
            remedy="record and replay need a file, live needs none",
        )
    if file is None:
        return None
    from chat_nodes.recordings import Recordings, path_of

    return Recordings(path_of(file, name), "replay" if replies is Replies.REPLAY else "record")


def _open_model(settings: ModelSettings, recordings: "Recordings | None") -> Model:
    """The model that is asked; where replies are replayed, nobody is."""
    if recordings is not None and recordings.mode == "replay":
        from chat_nodes.models.recorded import RecordedModel

        return RecordedModel(settings.model_id, recordings)
    return open_model(settings)


def _hide_command_line(name: str, key: str) -> None:
    """Overwrite the process's title, which `ps` and `/proc/<pid>/cmdline` show to every user."""
    from setproctitle import setproctitle

    setproctitle(f"arena chat-node --name {name}")
    for arguments in (sys.argv, sys.orig_argv):
        arguments[:] = [a.replace(key, "***") for a in arguments]


def _key_from_environment(model_id: str, base_url: str, variable: str) -> str:
    """The key for a model; "" for a server that may need none.

    Raises:
        UsageError: The provider needs a key and there is none.
    """
    if provider_of(model_id) == SCRIPTED:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key and not base_url:
        raise UsageError(
            f"no key for model {model_id!r}: the environment variable {variable} is not set",
            remedy=f"export {variable}=..., name another variable with --api-key-env, "
            "or give --base-url for a local server that needs none",
        )
    return key
