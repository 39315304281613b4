"""The flags of `arena chat-node` about its model, and the settings that follow from them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from arena import endpoint
from arena.environment import TOKEN_BUDGET
from arena.errors import UsageError
from arena.model_cutoffs import check_month
from arena.model_prices import Price, PriceList, load_prices, parse_own_price
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import LOCAL_MODEL_ID, ModelType, model_type, workers_max

DEFAULT_KEY_ENV = "OPENAI_API_KEY"

T = TypeVar("T")


class Replies(StrEnum):
    """The values of `--replies`."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"


ModelId = Annotated[
    str,
    typer.Option(
        help="Model id of the provider; 'scripted': built-in rules; 'local': the local model.",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str,
    typer.Option(
        envvar="OPENAI_BASE_URL",
        help="Address of an OpenAI-compatible server, such as http://localhost:8080/v1.",
    ),
]
KeyVariable = Annotated[str, typer.Option(help="Environment variable that holds the key.")]
Key = Annotated[str, typer.Option(help="The key itself; prefer --api-key-env.", show_default=False)]
Option = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="Field of every request, such as top_k=40; null removes it, dots nest. Repeatable.",
        show_default=False,
    ),
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        "--extra-header",
        metavar="NAME=VALUE",
        help="Header of every request; VALUE may be env:VARIABLE. Repeatable.",
        show_default=False,
    ),
]
OwnPrice = Annotated[
    str,
    typer.Option(
        "--price",
        metavar="PRICE",
        help="USD per million tokens: input=0.1,output=0.4[,cached=0.05]",
        show_default=False,
    ),
]
OwnCutoff = Annotated[
    str,
    typer.Option(
        "--cutoff",
        metavar="YYYY-MM",
        help="Last month of the model's training data. [the arena's list]",
        show_default=False,
    ),
]
RepliesMode = Annotated[
    Replies, typer.Option(help="Call the model; record every reply; or answer from a recording.")
]
RepliesFile = Annotated[
    Path | None,
    typer.Option(help="File of replies; FILE.jsonl becomes FILE.<name>.jsonl.", show_default=False),
]
Effort = Annotated[
    str, typer.Option(help="Reasoning effort to request, such as 'low'.", show_default=False)
]
CompletionCap = Annotated[
    int, typer.Option(min=0, help="Cap per call; 0 for the provider's default.")
]
TokenBudget = Annotated[
    int,
    typer.Option(
        envvar=TOKEN_BUDGET,
        min=0,
        help="Tokens per UTC day, after which calls are refused; 0 for no limit.",
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Check key, address, model and tool calls (a few hundred tokens), then exit.",
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="With --check: make no paid calls.")]
Local = Annotated[
    bool,
    typer.Option(
        "--local", help="Run the small model of `scripts/setup local-llm` in this process; no key."
    ),
]
CheckJson = Annotated[bool, typer.Option("--json", help="With --check: print JSON.")]


def model_and_workers(model_id: str, local: bool, workers: int) -> tuple[str, int]:
    """The model id that the flags name, and how many calls run at once.

    Raises:
        UsageError: The flags name no model, or two.
    """
    if local and model_id and model_type(model_id) is not ModelType.LOCAL:
        raise UsageError(
            f"--local and --model-id {model_id} name two models", remedy="leave one out"
        )
    if not (model_id or local):
        raise UsageError(
            "--model-id is missing",
            remedy="give the model's id, --model-id scripted for the built-in rules, or --local",
        )
    chosen = model_id or LOCAL_MODEL_ID
    return chosen, workers_max(chosen, workers)


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """The flags about a model, as they were given.

    Attributes:
        model_id: Id as the provider spells it.
        key_variable: Environment variable of the key.
        key: The key that was given as a flag, else "".
        base_url: URL of the server; "" for the provider's own.
        option: Values of `--option`.
        header: Values of `--extra-header`.
        price: Value of `--price`.
        replay: True if no model is called, so no secret is needed.
    """

    model_id: str
    key_variable: str
    key: str = field(repr=False)
    base_url: str
    option: tuple[str, ...]
    header: tuple[str, ...]
    price: str
    replay: bool

    def settings(self, *, effort: str, completion_cap: int, connections: int) -> ModelSettings:
        """The settings of the model.

        Raises:
            UsageError: A flag is invalid, or a secret is missing.
        """
        if self.base_url:
            _flag("--base-url", endpoint.check_base_url, self.base_url)
        headers = _flag("--extra-header", endpoint.parse_headers, self.header)
        options = _flag("--option", endpoint.parse_options, self.option)
        key = self.key
        if not self.replay:
            needed = not endpoint.authorizes(headers)
            headers = _flag("--extra-header", _resolved, headers)
            key = key or _key_from_environment(
                self.model_id, self.base_url, self.key_variable, needed=needed
            )
            if not endpoint.can_be_sent(key):
                name = "--api-key" if self.key else self.key_variable
                raise UsageError(endpoint.unsendable_text(name))
        return ModelSettings(
            model_id=self.model_id,
            base_url=self.base_url,
            api_key="" if self.replay else key,
            reasoning_effort=effort,
            max_completion_tokens=completion_cap,
            max_connections=connections,
            options=options,
            headers={} if self.replay else headers,
            key_variable=self.key_variable,
        )

    def prices(self) -> PriceList:
        """The operator's price, followed by the arena's own list.

        Raises:
            UsageError: `--price` cannot be read.
        """
        known = load_prices()
        if not self.price:
            return known
        own: Price = _flag("--price", parse_own_price, self.price)
        return PriceList((own, *known.prices))


def own_cutoff(text: str) -> str:
    """Check the value of `--cutoff`, the last month of a model's training data; "" if not given.

    Raises:
        UsageError: It is not a month.
    """
    return _flag("--cutoff", check_month, text) if text else ""


def check_budget(daily_tokens: int, completion_cap: int) -> None:
    """Check that the daily budget is at least as large as one answer.

    Raises:
        UsageError: One answer may use more than the whole budget.
    """
    if daily_tokens and completion_cap and daily_tokens < completion_cap:
        raise UsageError(
            f"--daily-token-budget {daily_tokens} cannot hold: one answer may have "
            f"{completion_cap} tokens (--max-completion-tokens)",
            remedy="raise the budget or lower the cap",
        )


def _resolved(headers: dict[str, str]) -> dict[str, str]:
    return endpoint.resolve_headers(headers, os.environ)


def _flag(name: str, read: Callable[..., T], value: object) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _key_from_environment(model_id: str, base_url: str, variable: str, *, needed: bool) -> str:
    """The key for a model; "" if there is none and the server may not need one.

    Raises:
        UsageError: The provider needs a key and there is none.
    """
    if not model_type(model_id).needs_server:
        return ""
    key = os.environ.get(variable, "").strip()
    if needed and not key and not base_url:
        raise UsageError(
            f"no key for model {model_id!r}: the environment variable {variable} is not set",
            remedy=f"export {variable}=..., name another variable with --api-key-env, "
            "or give --base-url for a local server that needs none",
        )
    return key
