"""The faults that the simulated exchange can produce, and which of them are on. Pure.

stall      connections stay open and send nothing           seconds
silent     requests are acknowledged, but no data is sent   seconds
gap        a product's tickers are withheld                 seconds, product
reorder    an old ticker is sent after a newer one          product
close      every connection is closed                       code
drop       every connection is cut without a close frame
lifetime   connections are closed at this age from now on   seconds
shutdown   the end of the connections is announced
rest_429   REST answers 429                                 seconds, retry_after
rest_418   REST answers 418                                 seconds, retry_after
ws_429     the WebSocket handshake is answered 429          seconds, retry_after
ws_418     the WebSocket handshake is answered 418          seconds, retry_after
html       REST answers with a page of HTML                 seconds
big_frame  one frame of 5 MB
bad_print  a ticker at a thousandth of the price            product
delist     a product is delisted                            product
bad_ack    the next acknowledgement omits a product         product
garbage    a frame that is not JSON
mode       a product is in these modes from now on          product, mode
status     a product has this status from now on            product, status
terms      a product has these increments from now on       product, any of the increments
unlist     a product is no longer in `/products`            product

`shutdown` exists on Binance only, because Coinbase Exchange announces nothing.

`mode` names the venue's flags joined by `+`, such as `limit_only+post_only`; without it the product
is in no mode. An increment is sent as it is written here, `null` as a JSON null, which makes the
entry unreadable.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from arena.errors import UsageError

KINDS: Final = (
    "stall",
    "silent",
    "gap",
    "reorder",
    "close",
    "drop",
    "lifetime",
    "shutdown",
    "rest_429",
    "rest_418",
    "ws_429",
    "ws_418",
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
LASTING: Final = ("stall", "silent", "gap", "rest_429", "rest_418", "ws_429", "ws_418", "html")
TERMS: Final = ("base_increment", "quote_increment", "min_market_funds")
"""The fields of a product that `terms` can change."""
NAMES: Final = ("seconds", "product", "code", "retry_after", "at", "mode", "status", *TERMS)
SECONDS: Final = 20.0
NONE_ABSENT: Final[Mapping[str, str]] = MappingProxyType({})
CODES: Final = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))


@dataclass(frozen=True, slots=True)
class VenueFault:
    """One fault of the venue.

    Attributes:
        kind: One of `KINDS`.
        seconds: Duration of a lasting fault, in wall seconds.
        product: Id of the product; "" for the first, or all.
        code: WebSocket close code.
        retry_after: Value of the `Retry-After` header of a 429 or 418, or "".
        at: Wall seconds after the start at which it begins.
        modes: New flags of the product.
        status: New status of the product.
        terms: New increments of the product, by name.
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
class ActiveFaults:
    """The lasting faults that are on.

    Attributes:
        until_s: Kind -> the monotonic seconds at which the fault ends, and the fault.
        forget: The product that the next acknowledgement omits, or None.
    """

    until_s: dict[str, tuple[float, VenueFault]] = field(default_factory=dict)
    forget: str | None = None

    def set(self, fault: VenueFault, now_s: float) -> None:
        """Turn a lasting fault on."""
        self.until_s[fault.kind] = (now_s + fault.seconds, fault)

    def current(self, kind: str, now_s: float) -> VenueFault | None:
        """The fault of a kind if it is on, else None."""
        until_s, fault = self.until_s.get(kind, (0.0, None))
        return fault if now_s < until_s else None


def read_fault(parameters: Mapping[str, str]) -> VenueFault:
    """A fault from its parameters, including `kind`.

    Raises:
        UsageError: A kind or a parameter is unknown, or a value cannot be used.
    """
    kind = parameters.get("kind", "")
    if kind not in KINDS:
        raise UsageError(f"unknown fault {kind!r}", remedy=f"the kinds are {', '.join(KINDS)}")
    unknown = sorted(set(parameters) - {"kind", *NAMES})
    if unknown:
        raise UsageError(
            f"fault {kind} has no parameter {unknown[0]!r}",
            remedy=f"the parameters are {', '.join(NAMES)}",
        )
    try:
        code = int(parameters.get("code", "1006"))
        seconds = _seconds(parameters, "seconds", SECONDS)
        at = _seconds(parameters, "at", 0.0)
    except ValueError as error:
        raise UsageError(f"fault {kind}: {error}") from None
    if code != 1006 and code not in CODES:
        raise UsageError(f"close code {code} cannot be sent", remedy="use 1000-1014 or 3000-4999")
    if kind == "status" and not parameters.get("status"):
        raise UsageError("fault status has no status", remedy="add one, such as status=offline")
    if kind == "terms" and not set(parameters) & set(TERMS):
        raise UsageError("fault terms changes nothing", remedy=f"add one of {', '.join(TERMS)}")
    return VenueFault(
        kind=kind,
        seconds=seconds,
        product=parameters.get("product", ""),
        code=code,
        retry_after=parameters.get("retry_after", ""),
        at=at,
        modes=tuple(filter(None, parameters.get("mode", "").split("+"))),
        status=parameters.get("status", ""),
        terms={name: parameters[name] for name in TERMS if name in parameters},
    )


def _seconds(parameters: Mapping[str, str], name: str, default: float) -> float:
    text = parameters.get(name, str(default))
    seconds = float(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{name} is {text}; write a number of seconds from 0")
    return seconds


def check_fault(
    fault: VenueFault, products: Collection[str], absent: Mapping[str, str] = NONE_ABSENT
) -> None:
    """Refuse a fault that cannot occur.

    Args:
        fault: The fault; it need not name a product.
        products: Ids of the products that exist.
        absent: Kinds that the venue does not have, and why.

    Raises:
        UsageError: Its product does not exist, or the venue does not have its kind.
    """
    if fault.kind in absent:
        why = absent[fault.kind]
        raise UsageError(f"fault {fault.kind}: {why}", remedy="name a product of another venue")
    if fault.product and fault.product not in products:
        raise UsageError(
            f"fault {fault.kind}: unknown product {fault.product}",
            remedy=f"the products are {', '.join(products)}",
        )


def parse_fault(text: str) -> VenueFault:
    """A fault from a flag such as `close:code=1012,at=30`.

    Raises:
        UsageError: As in `read_fault`, or a parameter has no value.
    """
    kind, _, rest = text.partition(":")
    parameters = {"kind": kind}
    for pair in filter(None, rest.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"fault {text!r}: {pair!r} has no value", remedy="write name=value")
        parameters[name] = value
    return read_fault(parameters)
