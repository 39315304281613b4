"""SmolLM2-135M in this process: no key, no server, no network. It trades at random.

Use `--model-id local` (or `local:smollm2`) after `scripts/setup local-llm`. It is a real model with
real tokens, latency and seeds: a noise baseline beside the scripted rules, and a check of the code
that every model goes through. `chat_nodes.local.prompt` makes its prompt from the agent's; the
prompt is part of the logged options, so `arena.chat_body` can build the request again, byte for
byte.

The same prompt and seed give the same answer: no state of an earlier prompt is kept. The seed
depends on the snapshot (`chat_nodes.seeds`); if the agent has none, it is derived from the
conversation. Bounds: `TOKENS_MAX` per answer, one inference at a time; the wait of a queued call
counts towards its timeout, and a late call is stopped at its next token.
"""

import os
from threading import Event

import orjson

from arena.clock import SystemClock
from arena.errors import UsageError
from arena.messages import Cause, ChatRequest, JsonObject
from arena.redaction import NO_SECRETS
from arena.threads import OneWorker
from chat_nodes.local.answer import EngineAnswer, response_body
from chat_nodes.local.engine import Engine, EngineError
from chat_nodes.local.prompt import LocalPrompt, local_prompt, prompt_seed
from chat_nodes.model import CallFailed, ModelSettings, RawReply, SentRequest, build_request
from chat_nodes.seeds import call_seed

NAMES = ("local", "local:smollm2", "local:smollm2-135m")
MODEL_ID = "local:smollm2-135m"
LABEL = "local:smollm2 (a real 135 M model; it trades at random)"
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
"""May be set for other chat nodes of the machine; an address for this model is a mistake."""
TOKENS_MAX = 128
TEMPERATURE = 1.0
SETTABLE = frozenset({"temperature", "top_p", "top_k", "min_p", "seed"})
"""Options of the request that the operator may set."""
ANSWER_CHARS_SHOWN = 80


class LocalModel:
    """The local model, and the one thread that computes.

    Args:
        settings: Settings, of which the options and the cap on tokens are used.
    """

    scripted = False
    host = ""
    secrets = NO_SECRETS
    label = LABEL

    def __init__(self, settings: ModelSettings) -> None:
        """Check the settings and load the weights."""
        if settings.model_id not in NAMES:
            raise UsageError(
                f"there is no local model {settings.model_id!r}",
                remedy=f"use {' or '.join(NAMES[:2])}; another model needs a server and --base-url",
            )
        if settings.base_url not in ("", os.environ.get(BASE_URL_VARIABLE, "")):
            raise UsageError(
                f"the local model runs in this process, not at {settings.base_url}",
                remedy="leave --base-url out, or call the server's model by another name",
            )
        for name, value in settings.options.items():
            if name not in SETTABLE or isinstance(value, str | bool | list | dict):
                raise UsageError(
                    f"the local model has no option {name} = {value!r}",
                    remedy=f"it takes a number for {', '.join(sorted(SETTABLE))}",
                )
        self.model_id = MODEL_ID
        self._settings = settings
        self._clock = SystemClock()
        self._closing = Event()
        self._engine = Engine()
        self._thread = OneWorker("local-model")

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Run the model once."""
        prompt = local_prompt(request)
        sent = build_request(MODEL_ID, request, request_options(request, prompt, self._settings))
        stop = Event()
        try:
            async with self._clock.timeout(timeout_s):
                answer = await self._thread.run(lambda: self._answer(sent, stop))
        except TimeoutError:
            return _timed_out(timeout_s, sent)
        except EngineError as error:
            reason = f"the local model refused the request: {error}"
            return CallFailed(reason, False, cause=Cause.REFUSED_REQUEST, sent=sent)
        finally:
            stop.set()
        if answer is None:
            return _timed_out(timeout_s, sent)
        body = response_body(MODEL_ID, prompt, answer)
        if body is None:
            start = answer.text[:ANSWER_CHARS_SHOWN]
            reason = f"the local model's answer does not have the form asked for: {start!r}"
            return CallFailed(
                reason,
                retryable=False,  # the same prompt and seed give the same answer
                cause=Cause.UNUSABLE_ANSWER,
                sent=sent,
                body=answer.text.encode(),
            )
        return RawReply(body, sent)

    async def close(self) -> None:
        """Stop running calls and free the memory."""
        self._closing.set()
        await self._thread.close()

    def _answer(self, sent: SentRequest, stop: Event) -> EngineAnswer | None:
        """Run the engine; called in the model's own thread."""
        if stop.is_set() or self._closing.is_set():
            return None
        body: JsonObject = orjson.loads(sent.content)
        return self._engine.answer(body, lambda: stop.is_set() or self._closing.is_set())


def request_options(
    request: ChatRequest, prompt: LocalPrompt, settings: ModelSettings
) -> JsonObject:
    """The fields of the body besides the model's id, including the node's own messages."""
    sampling = request.sampling
    caps = [TOKENS_MAX, sampling.max_completion_tokens, settings.max_completion_tokens]
    wanted: JsonObject = {
        "temperature": TEMPERATURE if sampling.temperature is None else sampling.temperature,
        "top_p": sampling.top_p,
        "seed": prompt_seed(request) if sampling.seed is None else call_seed(request),
        **settings.options,
    }
    options: JsonObject = {
        "messages": [*prompt.messages],
        "tools": None,
        **{name: value for name, value in wanted.items() if value is not None},
        "max_tokens": min(cap for cap in caps if cap),
        "cache_prompt": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if prompt.schema is not None:
        form: JsonObject = {"name": prompt.step, "schema": prompt.schema}
        options["response_format"] = {"type": "json_schema", "json_schema": form}
    return options


def _timed_out(timeout_s: float, sent: SentRequest) -> CallFailed:
    reason = f"the local model gave no whole answer within {timeout_s:.1f} s"
    return CallFailed(reason, retryable=True, cause=Cause.TIMEOUT, sent=sent)


def open_model(settings: ModelSettings) -> LocalModel:
    """Open the model.

    Raises:
        UsageError: The id names another model, or an option is unknown.
        DependencyMissing: Its packages are not installed.
    """
    return LocalModel(settings)
