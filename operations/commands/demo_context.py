"""The made sample set of dated context that the demo publishes, as JSON lines. Pure.

`examples/context.jsonl` is the same. Every item is made up and says so in its `source`; the dates
count from the market's first snapshot (`after`), because the demo's market begins now.
"""

import json

NAME = "context.jsonl"
SOURCE = "made for the demo"

_FACTS = (
    ("BTC-USD", {"circulating_supply": "19900000", "max_supply": "21000000", "unlocks": "none"}),
    ("ETH-USD", {"circulating_supply": "120700000", "max_supply": "none", "unlocks": "none"}),
    ("SOL-USD", {"circulating_supply": "540000000", "max_supply": "none", "unlocks": "1 % in May"}),
)
_NEWS = (
    ("-PT3H", "", "A made-up central bank leaves its made-up rate unchanged"),
    ("-PT40M", "BTC-USD", "A made-up fund adds to its position"),
    ("PT4M", "SOL-USD", "A made-up network upgrade is finished without an incident"),
    ("PT11M", "ETH-USD", "A made-up exchange lists a new pair"),
    ("PT19M", "", "A made-up index of consumer prices is lower than expected"),
    ("PT28M", "BTC-USD", "A made-up miner sells a part of its reserve"),
    ("PT37M", "SOL-USD", "A made-up outage stops transfers for some minutes"),
    ("PT52M", "ETH-USD", "A made-up upgrade gets a date"),
    ("PT75M", "", "A made-up regulator opens a consultation"),
)
_SENTIMENT = (
    ("-PT30M", "BTC-USD", "neutral", "0.05"),
    ("-PT20M", "ETH-USD", "bearish", "-0.3"),
    ("-PT10M", "SOL-USD", "bullish", "0.45"),
    ("PT15M", "BTC-USD", "bullish", "0.5"),
    ("PT25M", "SOL-USD", "bearish", "-0.55"),
    ("PT40M", "ETH-USD", "bullish", "0.6"),
    ("PT60M", "BTC-USD", "bearish", "-0.35"),
)


def demo_context() -> str:
    """The lines of the sample set."""
    lines: list[dict[str, object]] = [
        {
            "product": product,
            "kind": "token_facts",
            "after": "-P1D",
            "source": SOURCE,
            "facts": facts,
        }
        for product, facts in _FACTS
    ]
    for after, product, title in _NEWS:
        about = {"product": product} if product else {}
        lines.append({**about, "kind": "news", "after": after, "source": SOURCE, "title": title})
    for after, product, mood, score in _SENTIMENT:
        lines.append(
            {
                "product": product,
                "kind": "sentiment",
                "after": after,
                "source": SOURCE,
                "title": "A made-up count of posts",
                "sentiment": mood,
                "score": score,
            }
        )
    return "".join(f"{json.dumps(line)}\n" for line in lines)
