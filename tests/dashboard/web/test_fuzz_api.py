"""A fuzzer that reads our own OpenAPI description finds no internal error."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.schemas import OpenApiSchema

from dashboard.web import halt_commands
from dashboard.web.rate_limit import Failures, RateLimit
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import HOST, Served, serving

EXAMPLES = 20
TOKEN = "a-token-that-only-tests-use"
ENDLESS = "/api/v1/events"
ANSWERS = {200, 202, 400, 404, 405, 409, 413, 422, 503}


class Target:
    """The app, in a loop of another thread.

    Attributes:
        schema: What it says of itself.
    """

    def __init__(self, portal: BlockingPortal, served: Served) -> None:
        """Read the description."""
        self._portal = portal
        self._client = served.client
        answer = self.send(method="GET", url="/api/openapi.json")
        self.schema: OpenApiSchema = schemathesis.openapi.from_dict(answer.json())
        self.version = answer.json()["openapi"]

    # Any: what the fuzzer wants to send.
    def send(self, **request: Any) -> httpx.Response:
        """Send a request, with the token."""
        request["headers"] = {
            name: value.encode("utf-8", "replace") if isinstance(value, str) else value
            for name, value in {
                **(request.get("headers") or {}),
                "Authorization": f"Bearer {TOKEN}",
                "Host": HOST,
            }.items()
        }

        async def call() -> httpx.Response:
            return await self._client.request(**request)

        return self._portal.call(call)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """The app over a short season; a halt is not waited for."""
    patch = pytest.MonkeyPatch()
    patch.setattr(halt_commands, "WAIT_S", 0.0)
    patch.setattr(RateLimit, "take", lambda *_: 0.0)
    patch.setattr(Failures, "wait_s", lambda *_: 0.0)
    with start_blocking_portal() as portal:
        stopped = asyncio.Event()
        opened: list[Served] = []

        async def run() -> None:
            async with serving(Scenario().run(4), token=TOKEN) as served:
                assert await served.reader.ready(20)
                opened.append(served)
                await stopped.wait()

        future = portal.start_task_soon(run)
        while not opened and not future.done():
            portal.call(asyncio.sleep, 0.01)
        if future.done():
            future.result()
        yield Target(portal, opened[0])
        portal.call(stopped.set)
        future.result()
    patch.undo()


def test_description_is_openapi_3_1(target: Target) -> None:
    """Of the version that clients know."""
    assert target.version.startswith("3.1")


def test_no_operation_answers_with_an_internal_error(target: Target) -> None:
    """Whatever its parameters and bodies are; errors are JSON with message and remedy."""
    found: dict[str, set[int]] = {}
    for result in target.schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path == ENDLESS:
            continue

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:  # Any: a case of the fuzzer
            request = case.as_transport_kwargs(base_url=f"http://{HOST}")
            answer = target.send(**{k: v for k, v in request.items() if k != "cookies"})
            status = answer.status_code
            found.setdefault(case.operation.label, set()).add(status)
            assert status in ANSWERS, f"{case.method} {case.formatted_path}: {answer.text[:300]}"
            if status >= 400:
                assert {"status", "message", "remedy"} == answer.json()["error"].keys()

        one()

    assert len(found) > 20
    assert any(200 in statuses for statuses in found.values())
