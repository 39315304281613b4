"""`arena chat-node --check`: whether this node could serve its model, without a broker.

The quick half asks for nothing that is paid. The other half holds a conversation of two rounds, a
few hundred tokens, with the model as it would be asked by agents.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass

from arena.errors import UsageError
from arena.findings import Finding, any_broken, broken, lines, of_node, ok, summary
from arena.prices import PriceList
from arena.server_answers import cost_findings
from arena.server_check import PROMPT_VARIABLE, Target, check_server, prompt_told
from chat_nodes.models import DEFAULT_PROVIDER, SCRIPTED, open_model, provider_of
from chat_nodes.models.base import ModelSettings


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of a node.

    Attributes:
        findings: In the order of the checks.
    """

    findings: list[Finding]

    def show(self, *, as_json: bool) -> int:
        """Print them; returns the exit code: 1 if something is broken."""
        if as_json:
            print(json.dumps([finding.as_json() for finding in self.findings], indent=2))
        else:
            colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            for line in lines(self.findings, colour=colour):
                print(line)
            print(f" {summary(self.findings)}")
        return int(any_broken(self.findings))


def check_node(
    name: str,
    settings: ModelSettings,
    prices: PriceList,
    variable: str,
    budget: int,
    *,
    quick: bool,
) -> Checked:
    """Run the checks.

    Args:
        name: Of the node.
        settings: How its model is asked.
        prices: Of the known models.
        variable: The environment variable of its key.
        budget: Tokens per UTC day; 0 is no limit.
        quick: Leave the conversation out.
    """
    provider = provider_of(settings.model_id)
    if provider == SCRIPTED:
        rules = _opened(settings, "built-in rules: no server, no key, no LLM")
        return Checked(of_node(name, [rules]))
    found = asyncio.run(_check(settings, variable, provider, quick=quick))
    found += cost_findings(settings.model_id, prices, budget)
    return Checked(of_node(name, found))


def _opened(settings: ModelSettings, text: str) -> Finding:
    try:
        open_model(settings)
    except UsageError as error:
        return broken("model", str(error))
    return ok("model", text)


async def _check(
    settings: ModelSettings, variable: str, provider: str, *, quick: bool
) -> list[Finding]:
    found = []
    if provider == DEFAULT_PROVIDER:
        prompt, products = prompt_told(os.environ.get(PROMPT_VARIABLE, ""))
        target = Target(
            model_id=settings.model_id,
            base_url=settings.base_url,
            key=settings.api_key,
            variable=variable,
            headers=settings.headers,
            prompt=prompt,
            products=products,
        )
        found = await check_server(target)
    if quick or any_broken(found):
        return found
    from chat_nodes.check_talk import talk, talk_findings

    try:
        model = open_model(settings)
    except UsageError as error:
        return [*found, broken("model", str(error))]
    try:
        return [*found, *talk_findings(*await talk(model))]
    finally:
        await model.close()
