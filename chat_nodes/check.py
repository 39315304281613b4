"""`arena chat-node --check`: check that this node can serve its model, without a broker.

The quick part makes no paid call. The other part holds a conversation of two rounds, a few hundred
tokens, in the same way as agents do. Each finding is printed when its check has ended; what the
command waits for is printed on stderr.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace

from arena.errors import UsageError
from arena.findings import Finding, any_broken, broken, finding_lines, findings_summary, of_node, ok
from arena.model_prices import PriceList
from arena.server_answers import cost_findings, cutoff_findings
from arena.server_check import PROMPT_VARIABLE, ServerTarget, check_server, parse_prompt_variable
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import ModelType, model_type, open_model
from chat_nodes.providers import DEFAULT_PROVIDER, provider_of

LOCAL_TIMEOUT_S = 60.0
"""Timeout of one question to the local model, which is loaded first."""
CHECK_CHARS = len("parallel calls")


class CheckReport:
    """Prints the findings of a node one by one.

    Args:
        name: Name of the node.
        as_json: True to print everything as JSON at the end.
    """

    def __init__(self, name: str, *, as_json: bool) -> None:
        """Start without findings."""
        self._name = name
        self._as_json = as_json
        self._findings: list[Finding] = []
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings and print them."""
        found = of_node(self._name, findings)
        self._findings += found
        if self._as_json:
            return
        self._clear()
        width = len(self._name) + len(": ") + CHECK_CHARS
        for finding in found:
            aligned = replace(finding, check=f"{finding.check:<{width}}")
            print("\n".join(finding_lines([aligned], colour=self._colour)), flush=True)

    def wait(self, text: str) -> None:
        """Print what the command waits for."""
        if self._as_json:
            return
        self._clear()
        end = "" if sys.stderr.isatty() else "\n"
        print(f" ... {text}", end=end, file=sys.stderr, flush=True)

    def end(self) -> int:
        """Print the summary and return the exit code: 1 if something is broken."""
        if self._as_json:
            print(json.dumps([finding.as_json() for finding in self._findings], indent=2))
        else:
            print(f" {findings_summary(self._findings)}")
        return int(any_broken(self._findings))

    def _clear(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def check_node(
    report: CheckReport,
    settings: ModelSettings,
    prices: PriceList,
    budget: int,
    *,
    quick: bool,
    cutoff: str = "",
) -> int:
    """Run the checks; returns the exit code.

    Args:
        report: Prints the findings.
        settings: Settings of the model.
        prices: Prices of the known models.
        budget: Tokens per UTC day; 0 for no limit.
        quick: True to leave out the conversation.
        cutoff: Last month of the model's training data, if the operator states it; else "".
    """
    kind = model_type(settings.model_id)
    if kind is ModelType.SCRIPTED:
        report.add([_try_to_open(settings, "built-in rules: no server, no key, no LLM")])
        return report.end()
    asyncio.run(_check(report, settings, kind, quick=quick))
    report.add(cost_findings(settings.model_id, prices, budget))
    report.add(cutoff_findings(settings.model_id, cutoff))
    return report.end()


def _try_to_open(settings: ModelSettings, text: str) -> Finding:
    try:
        open_model(settings)
    except UsageError as error:
        return broken("model", str(error))
    return ok("model", text)


async def _check(
    report: CheckReport, settings: ModelSettings, kind: ModelType, *, quick: bool
) -> None:
    found = []
    if kind is ModelType.PROVIDER and provider_of(settings.model_id) == DEFAULT_PROVIDER:
        prompt, products = parse_prompt_variable(os.environ.get(PROMPT_VARIABLE, ""))
        target = ServerTarget(
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
