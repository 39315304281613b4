"""How to add a provider: copy this file to `<provider>.py`; it serves `--model-id <provider>:...`.

Requirements:

* `open_model(settings)` imports the provider's library inside, so that no other node loads it.
* `complete` makes one attempt within `timeout_s` and returns a `RawReply` whose body has the shape
  of a Chat Completions response, or a `CallFailed` that says whether a retry can help. It raises
  nothing but `CancelledError`.
* `build_request` makes the request body and lists its fields besides model, messages and tools, so
  that the audit can compute the hash of the request again.
* It reads a bounded number of bytes, and no key may be in a reason or a body.

`chat_nodes.decode` turns the body into a `ChatReply`; the node handles retries, budget, prices and
the log of calls. This example answers every request with the same sentence.
"""

import orjson

from arena.messages import ChatRequest
from arena.redaction import NO_SECRETS
from chat_nodes.model import CallFailed, ModelSettings, RawReply, build_request


class TemplateModel:
    """A model whose answer is always "I hold."."""

    scripted = False
    host = ""
    secrets = NO_SECRETS

    def __init__(self, settings: ModelSettings) -> None:
        """Keep the model id of the settings."""
        self.model_id = settings.model_id

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Answer in the format of a Chat Completions response."""
        if timeout_s <= 0:
            return CallFailed("no time is left to answer", retryable=False)
        message = {"role": "assistant", "content": "I hold."}
        body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}}
        return RawReply(orjson.dumps(body), build_request(self.model_id, request, {}))

    async def close(self) -> None:
        """Close nothing: no connection is open."""


def open_model(settings: ModelSettings) -> TemplateModel:
    """Open the model."""
    return TemplateModel(settings)
