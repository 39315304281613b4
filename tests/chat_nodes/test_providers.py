"""Conversations with every provider: tool calls, a transient fault, a malformed call."""

import asyncio

import pytest

from arena.messages import ChatMessage, Sampling
from chat_nodes.decode import Decoded, decode_reply
from chat_nodes.model import CallFailed, ModelSettings, RawReply
from chat_nodes.profiles import PROFILES
from chat_nodes.providers.openai_compatible import OpenAICompatibleModel
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.provider_profiles import PROVIDERS
from tests.chat_nodes.provider_server import DONE, ORDER, provider_server

SAMPLING = Sampling(temperature=0.5, seed=7, max_completion_tokens=500)
TRIES_MAX = 8
NAMES = ("execute_trade", "get_portfolio", "calculator")


async def decoded_round(
    model: OpenAICompatibleModel, later: list[ChatMessage], round_: int
) -> Decoded:
    """One round, repeated while the provider refuses a form or is busy."""
    made = request(later=later, sampling=SAMPLING, round_=round_)
    for _ in range(TRIES_MAX):
        result = await model.complete(made, timeout_s=5)
        if isinstance(result, RawReply):
            return decode_reply(result.body, NAMES)
        assert result.retryable, result.reason
        await asyncio.sleep(result.retry_after_s or 0)
    raise AssertionError("never answered")


async def conversation(model: OpenAICompatibleModel) -> list[Decoded]:
    """Three rounds, as a router runs them."""
    later: list[ChatMessage] = []
    found = []
    for round_ in range(3):
        decoded = await decoded_round(model, later, round_)
        found.append(decoded)
        later.append(
            ChatMessage(
                role="assistant",
                content=decoded.text,
                tool_calls=decoded.tool_calls,
                provider=decoded.provider,
            )
        )
        later += [
            ChatMessage(role="tool", content="{}", tool_call_id=call.model_call_id)
            for call in decoded.tool_calls
        ]
    return found


def orders(rounds: list[Decoded]) -> list[str]:
    """Arguments of the orders that may be carried out."""
    return [
        call.arguments
        for decoded in rounds
        for call in decoded.tool_calls
        if call.name == "execute_trade" and call.arguments == ORDER
    ]


@pytest.mark.parametrize("name", PROVIDERS)
async def test_unknown_provider_is_adapted_to(name: str) -> None:
    """Two complete conversations; no refusal is met twice in the process."""
    async with provider_server() as providers:
        model = OpenAICompatibleModel(ModelSettings("m", providers.address(name), "k"))
        first = await conversation(model)
        refusals_in_first = len(providers.refused.get(name, []))
        second = await conversation(model)
        await model.close()

    assert [ORDER, ORDER] == orders(first) + orders(second)
    assert (DONE, DONE) == (first[2].text, second[2].text)
    assert "get_portfolio" == second[0].tool_calls[0].name
    refused = providers.refused.get(name, [])
    assert (refusals_in_first, len(set(refused))) == (len(refused), len(refused))


@pytest.mark.parametrize("name", [p.name for p in PROFILES if p.name in PROVIDERS])
async def test_known_provider_refuses_less(name: str) -> None:
    """The first dialect of a known host is accepted from the start."""
    profile = next(p for p in PROFILES if p.name == name)
    # Whether a temperature is accepted depends on the model, not on the host.
    of_models = {"openai": 1}
    async with provider_server() as providers:
        settings = ModelSettings("m", providers.address(name), "k")
        model = OpenAICompatibleModel(settings, dialect=profile.dialect())
        rounds = await conversation(model)
        await model.close()

    assert [ORDER] == orders(rounds)
    assert of_models.get(name, 0) == len(providers.refused.get(name, [])), providers.refused


async def test_unknown_path_is_not_retried() -> None:
    """The address lacks a provider's path."""
    async with provider_server() as providers:
        model = OpenAICompatibleModel(ModelSettings("m", providers.address("nobody")))
        failed = await model.complete(request(), timeout_s=5)
        await model.close()

    assert isinstance(failed, CallFailed)
    assert not failed.retryable
