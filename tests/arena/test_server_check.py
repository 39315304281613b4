"""The quick check of a model server, against real sockets."""

import pytest

from arena.findings import Finding
from arena.server_check import ServerTarget, check_server, parse_prompt_variable
from tests.arena.model_server import ModelServer, closed_port, serving

KEY = "sk-planted-0123456789"


async def states(server: ModelServer, model_id: str = "toy") -> dict[str, Finding]:
    """The findings of a running server, by their checks."""
    target = ServerTarget(model_id, server.base_url, KEY, "MY_KEY", {"X-Title": "arena"})
    return {finding.check: finding for finding in await check_server(target)}


async def test_server_with_model_list_has_all_findings() -> None:
    """One GET gives address, key, model and context; the headers are sent."""
    async with serving(ModelServer()) as server:
        found = await states(server)

    assert {"address": "ok", "key": "ok", "model": "ok", "context": "ok"} == {
        check: finding.state.value for check, finding in found.items()
    }
    (head,) = server.heads
    assert f"authorization: bearer {KEY}" in head.lower()
    assert "x-title: arena" in head.lower()


async def test_refused_key_is_broken_and_never_shown() -> None:
    """Servers repeat the key in their answers; it is masked."""
    refusal = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    async with serving(ModelServer(models_status=401, models=refusal)) as server:
        found = await states(server)

    assert ("broken", "auth") == (found["key"].state, found["key"].cause)
    assert "Incorrect API key provided: ***" in found["key"].detail
    assert KEY not in "".join(finding.text for finding in found.values())


@pytest.mark.parametrize("status", [0, 404, 405, 500, 501])
async def test_server_that_accepts_connections_is_not_broken(status: int) -> None:
    """It drops the question, or knows no such path: calls may work all the same."""
    async with serving(ModelServer(models_status=status, models={})) as server:
        found = await states(server)

    assert "broken" not in {finding.state for finding in found.values()}


@pytest.mark.parametrize(
    "key", ["\u201csk-planted-0123456789\u201d", "sk-planted\n0123456789", "sk\0x"]
)
async def test_unsendable_key_is_broken_and_never_shown(key: str) -> None:
    """One that was copied with its quotes or a second line; the server is not asked."""
    async with serving(ModelServer()) as server:
        (found,) = await check_server(ServerTarget("toy", server.base_url, key, "MY_KEY"))

    assert ("broken", "auth") == (found.state, found.cause)
    assert "MY_KEY has characters that a header cannot have; write one line" in found.detail
    assert "planted" not in found.text
    assert [] == server.heads


async def test_missing_server_is_broken_with_full_url() -> None:
    """If nothing listens, the finding has the system's message and the URL."""
    url = f"http://127.0.0.1:{closed_port()}/v1"
    (found,) = await check_server(ServerTarget("toy", url))

    assert ("broken", "unreachable") == (found.state, found.cause)
    assert f"{url}/models cannot be reached (Connection refused)" == found.detail


async def test_local_server_reports_live_context() -> None:
    """llama.cpp lists what the model was trained with; `/props` has the live one."""
    models = {"data": [{"id": "toy", "meta": {"n_ctx_train": 32_768}}]}
    props = {"default_generation_settings": {"n_ctx": 2048}}
    async with serving(ModelServer(models=models, extra={"/props": props})) as server:
        found = await states(server)

    assert "warning" == found["context"].state
    assert "2,048 tokens" in found["context"].detail
    assert 'set prompt = "tiny"' in found["context"].remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [("tiny:3", ("tiny", 3)), ("compact", ("compact", 1)), ("", ("full", 1)), ("x:y", ("full", 1))],
)
def test_prompt_variable_is_parsed(text: str, expected: tuple[str, int]) -> None:
    """A full prompt of one product by default."""
    assert expected == parse_prompt_variable(text)
