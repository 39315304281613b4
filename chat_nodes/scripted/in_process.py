"""Answers requests by the scripted rules in the caller's process, without Kafka or a log. Pure."""

from collections.abc import Sequence

from arena.messages import ChatReply, ChatRequest, Usage
from chat_nodes.call_records import CallInProgress, logged_call, reply_of, tool_names
from chat_nodes.decode import decode_reply
from chat_nodes.model import ModelSettings
from chat_nodes.scripted.model import ScriptedModel


def scripted_replies(model_id: str, node: str, requests: Sequence[ChatRequest]) -> list[ChatReply]:
    """The replies that a chat node with the scripted model would give, in the order of requests.

    Args:
        model_id: "scripted", or "scripted:<strategy>".
        node: Name of the chat node.
        requests: The requests of agents or of the judge.

    Raises:
        UsageError: The id names a strategy that is not scripted.
    """
    model = ScriptedModel(ModelSettings(model_id=model_id))
    return [_reply(model, node, request) for request in requests]


def _reply(model: ScriptedModel, node: str, request: ChatRequest) -> ChatReply:
    raw = model.respond(request)
    decoded = decode_reply(raw.body, tool_names(request))
    call = CallInProgress(request, request.issued_at, 0.0, attempts=1, sent=raw.sent, body=raw.body)
    logged = logged_call(
        call,
        decoded,
        node=node,
        model=model.model_id,
        scripted=True,
        usage=Usage(),
        ended_at=request.issued_at,
        latency_ms=0.0,
    )
    return reply_of(logged, decoded)
