"""Changes of a product in the simulated venue's list: modes, status, increments. Pure."""

from typing import Final

from arena.trading_modes import ONLINE
from connectors.simulator.faults import VenueFault
from connectors.simulator.simulated_market import ProductState

KINDS: Final = ("delist", "mode", "status", "terms", "unlist")
NULL: Final = "null"
TRADING: Final = "TRADING"
"""Binance's word for a product that is online."""


def change(state: ProductState, fault: VenueFault) -> None:
    """Change how the list of products describes a product.

    Args:
        state: State of the product.
        fault: A fault of one of `KINDS`; a status lists the product again if it was omitted.
    """
    match fault.kind:
        case "delist":
            state.status = "delisted"
        case "mode":
            state.modes = fault.modes
        case "status":
            state.status = ONLINE if fault.status == TRADING else fault.status
            state.unlisted = False
        case "unlist":
            state.unlisted = True
        case "terms":
            terms = fault.terms.items()
            state.terms |= {name: None if text == NULL else text for name, text in terms}
