"""The command `arena chat-node`: serve one model to the agents, or check that it could.

A key given as a flag is removed from the process's command line before anything else happens.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from arena.errors import UsageError
from arena.ids import check_name
from arena.node import run_node
from arena.options import LogLevel, ProcessServers
from arena.settings import Settings
from chat_nodes import flags
from chat_nodes.flags import ModelFlags, Replies
from chat_nodes.model import Model, ModelSettings
from chat_nodes.model_types import open_model

if TYPE_CHECKING:
    from chat_nodes.recordings import Recordings


def chat_node(
    name: Annotated[str, typer.Option(help="Name of the node; agents address it by this name.")],
    model_id: flags.ModelId = "",
    base_url: flags.BaseUrl = "",
    api_key_env: flags.KeyVariable = flags.DEFAULT_KEY_ENV,
    api_key: flags.Key = "",
    option: flags.Option = None,
    header: flags.Header = None,
    price: flags.OwnPrice = "",
    cutoff: flags.OwnCutoff = "",
    bootstrap_servers: ProcessServers = None,
    max_workers: Annotated[int, typer.Option(min=1, max=1000, help="Calls at once.")] = 10,
    reasoning_effort: flags.Effort = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds per attempt.")] = 60.0,
    max_retries: Annotated[int, typer.Option(min=0, max=20, help="Attempts after the first.")] = 3,
    max_completion_tokens: flags.CompletionCap = 0,
    daily_token_budget: flags.TokenBudget = 0,
    replies: flags.RepliesMode = Replies.LIVE,
    replies_file: flags.RepliesFile = None,
    check: flags.Check = False,
    quick: flags.Quick = False,
    json_: flags.CheckJson = False,
    local: flags.Local = False,
    log_level: LogLevel = None,
) -> None:
    """Serve one model to every agent that names this node.

    Example: arena chat-node --name rules --model-id scripted
    """
    if api_key:
        _hide_command_line(name, api_key)
    check_name("chat node", name)
    model_id, max_workers = flags.model_and_workers(model_id, local, max_workers)
    settings = Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)
    replay = replies is Replies.REPLAY
    raw_flags = (tuple(option or ()), tuple(header or ()))
    model_flags = ModelFlags(model_id, api_key_env, api_key, base_url, *raw_flags, price, replay)
    model_settings = model_flags.settings(
        effort=reasoning_effort, completion_cap=max_completion_tokens, connections=max_workers
    )
    prices, own_cutoff = model_flags.prices(), flags.own_cutoff(cutoff)
    flags.check_budget(daily_token_budget, max_completion_tokens)
    if check:
        from chat_nodes.check import CheckReport, check_node

        report = CheckReport(name, as_json=json_)
        arguments = (report, model_settings, prices, daily_token_budget)
        sys.exit(check_node(*arguments, quick=quick, cutoff=own_cutoff))
    if quick or json_:
        raise UsageError("--quick and --json can only be used with --check")
    recordings = _open_recordings(replies, replies_file, name)
    model = _open_or_replay(model_settings, recordings)
    key = model_settings.api_key

    # Imported here, so that `--help` and flag errors do not wait for the model's libraries.
    from chat_nodes.node import ChatNodeSettings
    from chat_nodes.process import ChatNodeOptions, serve
    from chat_nodes.request_handler import CallLimits

    limits = CallLimits(timeout_s=timeout, max_retries=max_retries)
    options = ChatNodeOptions(
        model,
        ChatNodeSettings(max_workers, limits, daily_token_budget, own_cutoff),
        recordings,
        prices,
        key_is_flag=bool(api_key),
        key_sent=(api_key_env, urlsplit(base_url).hostname) if key and base_url else None,
    )
    run_node("chat-node", name, settings, serve, options)


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


def _open_or_replay(settings: ModelSettings, recordings: "Recordings | None") -> Model:
    """Open the model; a replay opens none, because every reply comes from the file."""
    if recordings is not None and recordings.mode == "replay":
        from chat_nodes.recorded_model import RecordedModel

        return RecordedModel(settings.model_id, recordings)
    return open_model(settings)


def _hide_command_line(name: str, key: str) -> None:
    """Overwrite the process's title, which `ps` and `/proc/<pid>/cmdline` show to every user."""
    from setproctitle import setproctitle

    setproctitle(f"arena chat-node --name {name}")
    for arguments in (sys.argv, sys.orig_argv):
        arguments[:] = [a.replace(key, "***") for a in arguments]
