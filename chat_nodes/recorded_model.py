"""The model of a replay: it calls no server, so a request without a recorded reply fails.

`arena chat-node --replies replay` opens it in place of the provider's model; it needs no key and no
network.
"""

from arena.messages import ChatRequest
from arena.redaction import NO_SECRETS
from chat_nodes.model import CallFailed, RawReply
from chat_nodes.recordings import Recordings, request_sha256


class RecordedModel:
    """Fails every request, because a request that reaches it was not recorded.

    Args:
        model_id: Id of the model that was recorded.
        recordings: The file of recorded replies, which the error names.
    """

    scripted = False
    host = ""
    secrets = NO_SECRETS

    def __init__(self, model_id: str, recordings: Recordings) -> None:
        """Open nothing."""
        self.model_id = model_id
        self._recordings = recordings

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Fail with the name of the file and the hash of the request."""
        sha256 = request_sha256(self.model_id, request)
        return CallFailed(self._recordings.missing(sha256), retryable=False)

    async def close(self) -> None:
        """Close nothing: no connection is open."""
