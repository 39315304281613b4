"""The protocol of the venue to copy, for the simulated exchange."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from arena.products import product_key, split_key
from connectors.simulator.faults import NONE_ABSENT
from connectors.simulator.simulated_market import ProductState, SimulatedMarket
from connectors.simulator.venue_protocol import Frame, RestResponse
from connectors.venues._template.protocol import NAME


class TemplateClient:
    """One client's products."""

    def __init__(self, market: SimulatedMarket) -> None:
        """Create a session without products."""
        self.pairs: set[tuple[str, str]] = set()
        self._market = market

    def wants(self, channels: tuple[str, ...], product_id: str) -> bool:
        """True if the client gets the product."""
        return any((channel, product_id) in self.pairs for channel in channels)

    def on_message(self, text: str | bytes, *, forget: str | None = None) -> list[str]:
        """Subscribe, or refuse the first unknown product."""
        body = json.loads(text)
        asked = [product_key(NAME, symbol) for symbol in body["symbols"]]
        for product_id in asked:
            if product_id not in self._market.products:
                symbol = split_key(product_id).symbol
                return [json.dumps({"type": "error", "symbol": symbol, "reason": "unknown"})]
        pairs = {("quotes", product_id) for product_id in asked}
        self.pairs = self.pairs - pairs if body["type"] == "unsubscribe" else self.pairs | pairs
        symbols = [split_key(p).symbol for _, p in sorted(self.pairs) if p != forget]
        return [json.dumps({"type": "subscribed", "symbols": symbols})]


class TemplateProtocol:
    """See `connectors.simulator.venue_protocol.ExchangeProtocol`."""

    def __init__(self, market: SimulatedMarket) -> None:
        """Create the protocol of a market."""
        self.market = market
        self.subscribe_within_s: float | None = None
        self.lifetime_s: float | None = None
        self.messages_per_s_max: int | None = None
        self.absent_faults = NONE_ABSENT

    def session(self) -> TemplateClient:
        """The state of a new client."""
        return TemplateClient(self.market)

    def beat_frames(self, product_id: str, at: datetime) -> list[Frame]:
        """The sign of life of a product."""
        state = self.market.products[product_id]
        return [self._frame("alive", product_id, at)] if state.live else []

    def step_frames(self, product_id: str, at: datetime, *, hidden: bool) -> list[Frame]:
        """New quotes."""
        state = self.market.products[product_id]
        changed, state.changed = state.changed, False
        if not changed or hidden or not state.live:
            return []
        return [self._frame("quote", product_id, at, **_quotes(state))]

    def faulty_frame(self, product_id: str, kind: str) -> str:
        """A frame that is not JSON."""
        return '{"type":"quote","symbol":'

    def respond(self, target: str, at: datetime) -> RestResponse:
        """The response to a request."""
        url = urlsplit(target)
        kind, _, symbol = url.path.strip("/").partition("/")
        query = dict(parse_qsl(url.query))
        if kind == "time":
            return _json({"time": at.isoformat()})
        if kind == "products":
            listed = self.market.products.items()
            return _json([_entry(p, state) for p, state in listed if not state.unlisted])
        state = self.market.products.get(product_key(NAME, symbol))
        if state is None:
            return self.error(404, "unknown product")
        if kind == "ticker":
            trade_id = state.prints[-1].trade_id
            return _json({**_quotes(state), "trade_id": trade_id, "time": at.isoformat()})
        if kind == "trades":
            return _json(_trades(state, int(query.get("after", 10**18))))
        bars = self.market.candles(
            product_key(NAME, symbol), 60, int(query["start"]), int(query["end"])
        )
        names = ("open", "high", "low", "close", "volume")
        return _json(
            [{"start": s} | {name: f"{getattr(bar, name):f}" for name in names} for s, bar in bars]
        )

    def refuse(self, status: int, headers: Mapping[str, str], *, handshake: bool) -> RestResponse:
        """The response to too many requests."""
        return RestResponse(status, b'{"message":"too many"}', headers=headers)

    def error(self, status: int, message: str) -> RestResponse:
        """An error."""
        return RestResponse(status, json.dumps({"message": message}).encode())

    def _frame(self, kind: str, product_id: str, at: datetime, **fields: str) -> Frame:
        state = self.market.products[product_id]
        body = {
            "type": kind,
            "symbol": split_key(product_id).symbol,
            "sequence": state.sequence,
            "trade_id": state.trade_id,
            "time": at.astimezone(UTC).isoformat(),
        }
        return Frame(("quotes",), json.dumps(body | fields))


def _json(body: object) -> RestResponse:
    return RestResponse(200, json.dumps(body).encode())


def _quotes(state: ProductState) -> dict[str, str]:
    assert state.tick is not None
    price = state.prints[-1].trade.price
    return {"price": f"{price:f}", "bid": f"{state.tick.bid:f}", "ask": f"{state.tick.ask:f}"}


def _trades(state: ProductState, after: int) -> list[dict[str, object]]:
    return [
        {
            "trade_id": p.trade_id,
            "price": f"{p.trade.price:f}",
            "size": f"{p.trade.size:f}",
            "taker": p.trade.taker_side,
            "time": p.at.isoformat(),
        }
        for p in reversed(state.prints)
        if p.trade_id < after
    ]


def _entry(product_id: str, state: ProductState) -> dict[str, object]:
    product = state.price_path.product
    return {
        "symbol": split_key(product_id).symbol,
        "price_step": f"{product.quote_increment:f}",
        "quantity_step": f"{product.base_increment:f}",
        "min_notional": f"{product.min_market_funds:f}",
        "status": state.status,
    }
