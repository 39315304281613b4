"""Removes products of price files that no account can trade from a run.

The run prints a line for such a product, and trades the others.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import compress

from arena.pricefiles.facts import PriceFacts
from arena.toml_files import parse_toml
from operations.commands.compete_spec import to_toml
from operations.commands.plugins import LoadedSpec


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
    tables["market"] = {**tables["market"], "prices": list(names)}
    if spec.arena.products:
        tables["arena"] = {**tables.get("arena", {}), "products": list(products)}
    changed = spec.model_copy(update={"arena": arena, "market": market})
    return replace(loaded, spec=changed, text=to_toml(tables))
