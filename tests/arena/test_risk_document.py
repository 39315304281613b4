"""`docs/risk.md` has every limit, and the presets as they are."""

from pathlib import Path

from arena.risk_limit_values import limit_names
from arena.risk_limits import PRESETS

ROOT = Path(__file__).parents[2]
SHOWN = ("cautious", "standard", "aggressive")


def preset_rows() -> list[str]:
    """The rows of the table of presets."""
    names = [name for name in limit_names() if any(name in PRESETS[one] for one in SHOWN)]
    cells = [[str(PRESETS[one].get(name, "-")) for one in SHOWN] for name in names]
    return [f"| `{name}` | {' | '.join(row)} |" for name, row in zip(names, cells, strict=True)]


def test_the_document_has_the_presets() -> None:
    """The table in the document is made of the presets."""
    text = (ROOT / "docs" / "risk.md").read_text(encoding="utf-8")

    assert ["off", *SHOWN] == [*PRESETS]
    assert "\n".join(preset_rows()) in text


def test_the_document_names_every_limit() -> None:
    """No limit and no setting of one is undocumented."""
    text = (ROOT / "docs" / "risk.md").read_text(encoding="utf-8")

    assert [] == [name for name in limit_names() if f"`{name}`" not in text and name not in text]
