"""A run without the products of price files that no account can trade.

One product that cannot be traded is left out with a line; it never takes the others down.
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
    """A run without the products that cannot be traded: neither their files nor their ids.

    Args:
        loaded: With all of them.
        text: The specification's text, as it is started from.
        files: As `check_prices` found them; one for each of the specification's.
    """
    kept = [not file.left_out for file in files]
    if all(kept):
        return replace(loaded, text=text)
    spec = loaded.spec
    names = tuple(compress(spec.market.prices, kept))
    products = tuple(compress(spec.arena.products, kept))
    market = spec.market.model_copy(update={"prices": names})
    arena = spec.arena.model_copy(update={"products": products})
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    tables["market"] = {**tables["market"], "prices": list(names)}
    if spec.arena.products:
        tables["arena"] = {**tables.get("arena", {}), "products": list(products)}
    changed = spec.model_copy(update={"arena": arena, "market": market})
    return replace(loaded, spec=changed, text=to_toml(tables))
