"""`arena chat-node --check`: whether this node could serve its model, without a broker.

The quick half asks for nothing that is paid. The other half holds a conversation of two rounds, a
few hundred tokens, with the model as it would be asked by agents. Each check is shown when it has
ended; what is waited for is told on stderr.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace

from arena.errors import UsageError
from arena.findings import Finding, any_broken, broken, lines, of_node, ok, summary
from arena.prices import PriceList
from arena.server_answers import cost_findings, cutoff_findings
from arena.server_check import PROMPT_VARIABLE, Target, check_server, prompt_told
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import ModelType, model_type, open_model
from chat_nodes.providers import DEFAULT_PROVIDER, provider_of

LOCAL_TIMEOUT_S = 60.0
"""Of one question to the model in this process, which is loaded first."""
CHECK_CHARS = len("parallel calls")


class Report:
    """The findings of a node, shown one by one.

    Args:
        name: Of the node.
        as_json: Show nothing before the end, then all as JSON.
    """

    def __init__(self, name: str, *, as_json: bool) -> None:
        """Nothing is found yet."""
        self._name = name
        self._as_json = as_json
        self._findings: list[Finding] = []
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def add(self, findings: Iterable[Finding]) -> None:
        """Take findings, and show them."""
        found = of_node(self._name, findings)
        self._findings += found
        if self._as_json:
            return
        self._clear()
        width = len(self._name) + len(": ") + CHECK_CHARS
        for finding in found:
            aligned = replace(finding, check=f"{finding.check:<{width}}")
            print("\n".join(lines([aligned], colour=self._colour)), flush=True)

    def wait(self, text: str) -> None:
        """Tell what is waited for."""
        if self._as_json:
            return
        self._clear()
        end = "" if sys.stderr.isatty() else "\n"
        print(f" ... {text}", end=end, file=sys.stderr, flush=True)

    def end(self) -> int:
        """Show what is left; returns the exit code: 1 if something is broken."""
        if self._as_json:
            print(json.dumps([finding.as_json() for finding in self._findings], indent=2))
        else:
            print(f" {summary(self._findings)}")
        return int(any_broken(self._findings))

    def _clear(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def check_node(
    report: Report,
    settings: ModelSettings,
    prices: PriceList,
    budget: int,
    *,
    quick: bool,
    cutoff: str = "",
) -> int:
    """Run the checks; returns the exit code.

    Args:
        report: Of the node.
        settings: How its model is asked.
        prices: Of the known models.
        budget: Tokens per UTC day; 0 is no limit.
        quick: Leave the conversation out.
        cutoff: What the operator says of the model's training data.
    """
    kind = model_type(settings.model_id)
    if kind is ModelType.SCRIPTED:
        report.add([_opened(settings, "built-in rules: no server, no key, no LLM")])
        return report.end()
    asyncio.run(_check(report, settings, kind, quick=quick))
    report.add(cost_findings(settings.model_id, prices, budget))
    report.add(cutoff_findings(settings.model_id, cutoff))
    return report.end()


def _opened(settings: ModelSettings, text: str) -> Finding:
    try:
        open_model(settings)
    except UsageError as error:
        return broken("model", str(error))
    return ok("model", text)


async def _check(report: Report, settings: ModelSettings, kind: ModelType, *, quick: bool) -> None:
    found = []
    if kind is ModelType.PROVIDER and provider_of(settings.model_id) == DEFAULT_PROVIDER:
        prompt, products = prompt_told(os.environ.get(PROMPT_VARIABLE, ""))
        target = Target(
            model_id=settings.model_id,
            base_url=settings.base_url,
            key=settings.api_key,
            variable=settings.key_variable,
            headers=settings.headers,
            prompt=prompt,
            products=products,
        )
        report.wait("asking the server for its models")
        found = await check_server(target)
        report.add(found)
    if quick or any_broken(found):
        return
    from chat_nodes.check_conversation import TIMEOUT_S, conversation_findings, hold_conversation

    try:
        model = open_model(settings)
    except UsageError as error:
        report.add([broken("model", str(error))])
        return
    try:
        timeout_s = LOCAL_TIMEOUT_S if kind is ModelType.LOCAL else TIMEOUT_S
        report.add(conversation_findings(*await hold_conversation(model, report.wait, timeout_s)))
    finally:
        await model.close()
