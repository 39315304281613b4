"""How to add a provider: copy this file to `<provider>.py`; it serves `--model-id <provider>:...`.

What is asked of it:

* `open_model(settings)` imports the provider's library inside, so that no other node loads it.
* `complete` makes one attempt within `timeout_s` and returns a `RawReply` whose body has the shape
  of a Chat Completions response, or a `CallFailed` that says whether a retry can help. It raises
  nothing but `CancelledError`.
* `ask` makes the request body, and says what it holds besides model, messages and tools: with it
  the audit computes the hash of the request again.
* It reads a bounded number of bytes and lets no key into a reason or a body.

`chat_nodes.decode` turns the body into a `ChatReply`; retries, budget, prices and the log of calls
are the node's. This example answers every request with the same sentence.
"""

import orjson

from arena.messages import ChatRequest
from arena.redaction import NO_SECRETS
from chat_nodes.model import CallFailed, ModelSettings, RawReply, ask


class TemplateModel:
    """A model that only says that it holds."""

    scripted = True
    host = ""
    secrets = NO_SECRETS

    def __init__(self, settings: ModelSettings) -> None:
        """Keep the id."""
        self.model_id = settings.model_id

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Answer in the shape of a Chat Completions response."""
        if timeout_s <= 0:
            return CallFailed("no time is left to answer", retryable=False)
        message = {"role": "assistant", "content": "I hold."}
        body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}}
        return RawReply(orjson.dumps(body), ask(self.model_id, request, {}))

    async def close(self) -> None:
        """Nothing is open."""


def open_model(settings: ModelSettings) -> TemplateModel:
    """Open the model."""
    return TemplateModel(settings)
