"""What a strategy's text demands of scripted rules, so that a changed text changes decisions. Pure.

Rules read whole sentences only, such as those of the coach's templates; where a text has none, a
scripted strategy decides as it always has.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from arena.messages import ChatMessage

SIZE: Final = re.compile(r"^- (?:At most|Up to) (\d{1,3}) % of your equity in one product\.$", re.M)
CASH: Final = re.compile(r"^- Keep at least (\d{1,3}) % of your equity in cash\.$", re.M)
FIGURES: Final = re.compile(r"^- Quote only figures that are in this prompt\b", re.M)
PACE: Final = re.compile(r"^- Do not sell within three snapshots what you bought\b", re.M)
PERCENT: Final = Decimal(100)
TEXTS_MAX: Final = 64
"""Texts whose rules are kept: an agent's stays the same from turn to turn."""


@dataclass(frozen=True, slots=True)
class PromptRules:
    """The rules that a text states.

    Attributes:
        share_max: Largest share of the equity in one product; None for no limit.
        cash_min: Least share of the equity in cash.
        only_shown_figures: True if reasons may quote only what the prompt shows.
        keeps_what_it_bought: True if a new position is not sold at once.
    """

    share_max: Decimal | None = None
    cash_min: Decimal = Decimal(0)
    only_shown_figures: bool = False
    keeps_what_it_bought: bool = False


NO_RULES: Final = PromptRules()


def read_rules(messages: Iterable[ChatMessage]) -> PromptRules:
    """The rules in the system message; the last of a kind counts."""
    return _rules_in(next((m.content for m in messages if m.role == "system"), ""))


@lru_cache(maxsize=TEXTS_MAX)
def _rules_in(text: str) -> PromptRules:
    sizes, cash = SIZE.findall(text), CASH.findall(text)
    if not (sizes or cash or FIGURES.search(text) or PACE.search(text)):
        return NO_RULES
    return PromptRules(
        share_max=Decimal(sizes[-1]) / PERCENT if sizes else None,
        cash_min=Decimal(cash[-1]) / PERCENT if cash else Decimal(0),
        only_shown_figures=bool(FIGURES.search(text)),
        keeps_what_it_bought=bool(PACE.search(text)),
    )
