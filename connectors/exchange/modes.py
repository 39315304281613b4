"""What the venue says of a product, changed on request: modes, status, increments. Pure."""

from typing import Final

from connectors.exchange.faults import Fault
from connectors.exchange.market import Book

KINDS: Final = ("delist", "mode", "status", "terms", "unlist")
NOTHING: Final = "null"


def change(book: Book, fault: Fault) -> None:
    """Let the list of products say something else of a product.

    Args:
        book: Of the product.
        fault: One of `KINDS`; a status lists the product again if it was left out.
    """
    match fault.kind:
        case "delist":
            book.status = "delisted"
        case "mode":
            book.modes = fault.modes
        case "status":
            book.status, book.unlisted = fault.status, False
        case "unlist":
            book.unlisted = True
        case "terms":
            terms = fault.terms.items()
            book.terms |= {name: None if text == NOTHING else text for name, text in terms}
