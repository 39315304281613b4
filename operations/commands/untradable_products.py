"""Removes products of price files that no account can trade from a run.

The run prints a line for such a product, and trades the others.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import compress
from typing import Any

from arena.pricefiles.facts import PriceFacts
from arena.products import split_key
from arena.toml_files import parse_toml
from operations.commands.plugins import LoadedSpec
from operations.specs.toml_text import to_toml
from operations.specs.venues import by_venue


def without_untradable_products(
    loaded: LoadedSpec, text: str, files: Sequence[PriceFacts]
) -> LoadedSpec:
    """Return a run without the files and ids of the products that cannot be traded.

    Args:
        loaded: The specification with all products.
        text: The specification's text.
        files: The facts from `check_prices`, one for each price file.
    """
    tradable = [not file.left_out for file in files]
    if all(tradable):
        return replace(loaded, text=text)
    spec = loaded.spec
    names = tuple(compress(spec.market.prices, tradable))
    products = tuple(compress(spec.arena.products, tradable))
    market = spec.market.model_copy(update={"prices": names})
    arena = spec.arena.model_copy(update={"products": products})
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    if spec.markets:
        tables["markets"] = _tradable_markets(products, names)
    else:
        tables["market"] = {**tables["market"], "prices": list(names)}
        tables["arena"] = {**tables.get("arena", {}), "products": list(products)}
    changed = spec.model_copy(update={"arena": arena, "market": market})
    return replace(loaded, spec=changed, text=to_toml(tables))


# Any: any TOML value.
def _tradable_markets(products: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
    """The [[markets]] tables with the tradable products and their files only."""
    files = dict(zip(products, names, strict=True))
    return [
        {
            "venue": venue,
            "products": [split_key(product_id).symbol for product_id in ids],
            "prices": [files[product_id] for product_id in ids],
        }
        for venue, ids in by_venue(products).items()
    ]
