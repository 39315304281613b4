"""What goes wrong on request: parsed from words, kept with an end. Pure.

stall      connections stay open and say nothing            seconds
gap        a product's tickers are withheld                 seconds, product
reorder    an old ticker comes after a newer one            product
close      every connection is closed                       code
drop       every connection is cut without a goodbye
rest_429   REST answers 429                                 seconds, retry_after
ws_429     the WebSocket handshake is answered 429          seconds, retry_after
html       REST answers with a page of HTML                 seconds
big_frame  one frame of 5 MB
bad_print  a ticker at a thousandth of the price            product
delist     a product disappears                             product
bad_ack    the next acknowledgement leaves a product out    product
garbage    a frame that is not JSON
mode       a product is in these modes from now on          product, mode
status     a product has this status from now on            product, status
terms      a product has these increments from now on       product, any of the increments
unlist     a product is not in `/products` any more         product

`mode` names the venue's flags joined by `+`, such as `limit_only+post_only`; without one the
product is in none. An increment is sent as it is written here, `null` as nothing: so an entry is
spoiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from arena.errors import UsageError

KINDS: Final = (
    "stall",
    "gap",
    "reorder",
    "close",
    "drop",
    "rest_429",
    "ws_429",
    "html",
    "big_frame",
    "bad_print",
    "delist",
    "bad_ack",
    "garbage",
    "mode",
    "status",
    "terms",
    "unlist",
)
LASTING: Final = ("stall", "gap", "rest_429", "ws_429", "html")
TERMS: Final = ("base_increment", "quote_increment", "min_market_funds")
"""What `terms` changes of a product."""
NAMES: Final = ("seconds", "product", "code", "retry_after", "at", "mode", "status", *TERMS)
SECONDS: Final = 20.0
CODES: Final = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        seconds: How long a lasting one lasts, in wall seconds.
        product: Which product; "" for the first, or all.
        code: Close code.
        retry_after: Value of the header of a 429, or "".
        at: Wall seconds after the start at which it begins.
        modes: Flags of the product. status: its status. terms: its increments, by name.
    """

    kind: str
    seconds: float = SECONDS
    product: str = ""
    code: int = 1006
    retry_after: str = ""
    at: float = 0.0
    modes: tuple[str, ...] = ()
    status: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FaultBoard:
    """Which lasting faults are on, until when (monotonic seconds)."""

    until_s: dict[str, tuple[float, Fault]] = field(default_factory=dict)
    forget: str | None = None

    def set(self, fault: Fault, now_s: float) -> None:
        """Turn a lasting fault on."""
        self.until_s[fault.kind] = (now_s + fault.seconds, fault)

    def active(self, kind: str, now_s: float) -> Fault | None:
        """The fault of a kind, where it is on."""
        until_s, fault = self.until_s.get(kind, (0.0, None))
        return fault if now_s < until_s else None


def read_fault(words: Mapping[str, str]) -> Fault:
    """A fault from its parameters, `kind` among them.

    Raises:
        UsageError: An unknown kind or parameter, or a value that is none.
    """
    kind = words.get("kind", "")
    if kind not in KINDS:
        raise UsageError(f"there is no fault {kind!r}", remedy=f"the kinds are {', '.join(KINDS)}")
    unknown = sorted(set(words) - {"kind", *NAMES})
    if unknown:
        raise UsageError(
            f"fault {kind} has no parameter {unknown[0]!r}",
            remedy=f"the parameters are {', '.join(NAMES)}",
        )
    try:
        code = int(words.get("code", "1006"))
        seconds = float(words.get("seconds", str(SECONDS)))
        at = float(words.get("at", "0"))
    except ValueError as error:
        raise UsageError(f"fault {kind}: {error}") from None
    if code != 1006 and code not in CODES:
        raise UsageError(f"close code {code} cannot be sent", remedy="use 1000-1014 or 3000-4999")
    if kind == "status" and not words.get("status"):
        raise UsageError("fault status has no status", remedy="add status=offline, say")
    if kind == "terms" and not set(words) & set(TERMS):
        raise UsageError("fault terms changes nothing", remedy=f"add one of {', '.join(TERMS)}")
    return Fault(
        kind=kind,
        seconds=seconds,
        product=words.get("product", ""),
        code=code,
        retry_after=words.get("retry_after", ""),
        at=at,
        modes=tuple(filter(None, words.get("mode", "").split("+"))),
        status=words.get("status", ""),
        terms={name: words[name] for name in TERMS if name in words},
    )


def parse_fault(text: str) -> Fault:
    """A fault from a flag such as `close:code=1012,at=30`.

    Raises:
        UsageError: As `read_fault`, or a parameter without a value.
    """
    kind, _, rest = text.partition(":")
    words = {"kind": kind}
    for pair in filter(None, rest.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"fault {text!r}: {pair!r} has no value", remedy="write name=value")
        words[name] = value
    return read_fault(words)
