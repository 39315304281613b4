"""Turns for the checks: recorded ones, and ones made by hand."""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from arena import ids
from arena.messages import ChatMessage, RequestedCall, Round, Turn

RECORDED = Path(__file__).parents[2] / "fixtures" / "turns" / "recorded_turns.jsonl.gz"
START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
STRATEGY = "You trade calmly."
RULES = (
    "\n\nHow this arena works\n- Every fill costs a taker fee of 60 bps of its value and 2 bps"
    " slippage against you: buying and selling again costs about 124 bps plus the spread."
)
PROMPT = """\
# Market as of 2026-11-21T09:30:00Z (BTC-USD, SOL-USD)
## Tickers
product_id,price,best_bid,best_ask,volume_24h,age_s,stale
BTC-USD,67218.40,67210.00,67220.00,812.55,0.4,no
SOL-USD,141.25,141.20,141.30,90210.4,0.2,no
## Candles BTC-USD 5m (UTC, oldest first)
start,open,high,low,close,volume
09:20,66900.10,67010.00,66850.55,66990.25,12.50
09:25,66990.25,67230.00,66980.00,67218.40,14.10
## Candles SOL-USD 5m (UTC, oldest first)
start,open,high,low,close,volume
09:20,139.10,140.20,138.95,140.10,812.5
09:25,140.10,141.40,140.00,141.25,900.1
"""


class Call(NamedTuple):
    """A tool call of a turn made by hand."""

    arguments: Mapping[str, object] | str
    answer: str
    ok: bool = True
    name: str = "execute_trade"
    said: str = ""


def recorded_turns() -> list[Turn]:
    """Turns of three scripted agents of a demo arena, in the order of venue time."""
    lines = gzip.decompress(RECORDED.read_bytes()).decode().splitlines()
    return [Turn.model_validate_json(line) for line in lines]


def bought(product_id: str, quantity: str, price: float, **exits: object) -> Call:
    """A filled buy, with a fee of 60 bps."""
    notional = float(quantity) * price
    return Call(
        {"product_id": product_id, "quantity": quantity, "action": "buy", **exits},
        f"Bought {quantity} {product_id} at {price} for {notional:.2f} USD plus"
        f" {notional * 0.006:.2f} fee. Cash 50000.00 USD.",
    )


def sold(product_id: str, quantity: str, price: float) -> Call:
    """A filled sell, with a fee of 60 bps."""
    notional = float(quantity) * price
    return Call(
        {"product_id": product_id, "quantity": quantity, "action": "sell"},
        f"Sold {quantity} {product_id} at {price} for {notional:.2f} USD less"
        f" {notional * 0.006:.2f} fee. Realised +1.00 USD. Cash 50000.00 USD.",
    )


def refused(product_id: str, reason: str, quantity: str = "1", action: str = "buy") -> Call:
    """An order that the executor rejected."""
    return Call(
        {"product_id": product_id, "quantity": quantity, "action": action},
        f"Rejected: {reason}: value and limit. Cash 50000.00 USD.",
        ok=False,
    )


def made_turn(
    words: str,
    calls: Sequence[Call] = (),
    *,
    strategy: str = STRATEGY,
    prompt: str = PROMPT,
    number: int = 0,
    **changes: Any,
) -> Turn:
    """A turn in which all calls are made in the first round."""
    requested = tuple(
        RequestedCall(
            model_call_id=f"call_{n}",
            name=call.name,
            arguments=call.arguments
            if isinstance(call.arguments, str)
            else json.dumps(call.arguments),
        )
        for n, call in enumerate(calls)
    )
    said = next((call.said for call in calls if call.said), "")
    middle = (
        (
            ChatMessage(role="assistant", content=said, tool_calls=requested),
            *(
                ChatMessage(role="tool", content=call.answer, tool_call_id=f"call_{n}")
                for n, call in enumerate(calls)
            ),
        )
        if calls
        else ()
    )
    at = START + timedelta(minutes=number)
    given: dict[str, Any] = {
        "turn_id": ids.derive("made", number),
        "agent": "alfa",
        "strategy": "alfa",
        "node": "gpt",
        "snapshot_id": ids.derive("snapshot", number),
        "snapshot_offset": number,
        "as_of": at,
        "messages": (
            ChatMessage(role="system", content=strategy + "\n" + RULES),
            ChatMessage(role="user", content=prompt),
            *middle,
            ChatMessage(role="assistant", content=words),
        ),
        "rounds": (
            Round(
                call_id="c",
                outcome="ok",
                tool_call_ids=tuple(f"t{n}" for n in range(len(calls))),
                tools_ok=tuple(call.ok for call in calls),
            ),
        ),
        "outcome": "completed",
        "final_text": words,
        "started_at": at,
        "ended_at": at,
    }
    return Turn(**(given | changes))
