"""The model of a replay: nobody is asked, so a request without a recorded reply fails.

Opened by `arena chat-node --replies replay` in place of the provider: no key and no network.
"""

from arena.messages import ChatRequest
from arena.redaction import NO_SECRETS
from chat_nodes.model import CallFailed, RawReply
from chat_nodes.recordings import Recordings, request_sha256


class RecordedModel:
    """Stands where a model would be asked what was not recorded.

    Args:
        model_id: Of the model that was recorded.
        recordings: Named in the error.
    """

    scripted = False
    host = ""
    secrets = NO_SECRETS

    def __init__(self, model_id: str, recordings: Recordings) -> None:
        """Nothing is opened."""
        self.model_id = model_id
        self._recordings = recordings

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Say that nothing was recorded."""
        sha256 = request_sha256(self.model_id, request)
        return CallFailed(self._recordings.missing(sha256), retryable=False)

    async def close(self) -> None:
        """Nothing is open."""
