"""The documents name files, modules and sections that exist."""

import importlib
import re
from pathlib import Path

from arena.messages import (
    Candle,
    CandleWindow,
    ContextItem,
    IndicatorWindow,
    MarketSnapshot,
    ProductView,
    Ticker,
)
from arena.topics import TOPICS
from tests.house_lists import ROOMS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LINKED_DOCUMENTS = [*DOCUMENTS, ROOT / "CHANGELOG.md"]
PACKAGES = ("arena", "tests", *ROOMS)
FOLDERS = (*PACKAGES, "deploy", "docs", "examples", "scripts")
SOURCE_SUFFIXES = (".py", ".toml", ".json")
FOREIGN_NAMES = {"FOO_TUSD", "UnsupportedParamsError", "parallel_tool_calls"}
"""Identifiers that are not ours: a product's name in an example, and names of model servers."""
TOPIC_NAMES = {spec.name for spec in TOPICS}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"(?<![\w./])(?:{'|'.join(FOLDERS)})/[\w./*<>-]*|(?<![\w./*<>-])[\w*]+\.py\b")
"""A path below one of our folders, or the bare name of a Python file; `*` and `<name>` vary."""
MODULE = re.compile(rf"(?<![\w/.[-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+(?![\w/-])")
FILE_NAME = re.compile(r"\.(?:py|toml|md|json|env|key|db)$")
IDENTIFIER = re.compile(r"`([A-Z][a-z]+[A-Z]\w*|[A-Z]+_[A-Z_]+|[a-z]+_[a-z_]+)`")
"""A class, a constant, a variable of the environment or a field, in backquotes."""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_paths_in_documents_exist() -> None:
    """Every path of the source tree that a document names is a file or a folder."""
    missing = [
        f"{document.name}: {path}"
        for document in DOCUMENTS
        for path in sorted(set(PATH.findall(document.read_text(encoding="utf-8"))))
        if not path_exists(path.rstrip("./"))
    ]

    assert not missing, "\n".join(missing)


def test_modules_in_documents_exist() -> None:
    """Every dotted name of our packages that a document names can be imported."""
    missing = [
        f"{document.name}: {name}"
        for document in DOCUMENTS
        for name in sorted(set(MODULE.findall(document.read_text(encoding="utf-8"))))
        if name not in TOPIC_NAMES and not FILE_NAME.search(name) and not name_exists(name)
    ]

    assert not missing, "\n".join(missing)


def test_identifiers_in_documents_are_in_the_source() -> None:
    """Every class, constant, variable and field that a document names is in the source tree."""
    shipped = [folder for folder in FOLDERS if folder != "tests"]
    files = [path for folder in shipped for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix in SOURCE_SUFFIXES]
    known = set(re.findall(r"\w+", "\n".join(texts)))
    missing = [
        f"{document.name}: {name}"
        for document in DOCUMENTS
        for name in sorted(set(IDENTIFIER.findall(document.read_text(encoding="utf-8"))))
        if name not in known | FOREIGN_NAMES
    ]

    assert not missing, "\n".join(missing)


def test_links_in_documents_lead_somewhere() -> None:
    """Every relative link is a file of the source tree, and its anchor a heading of that file."""
    missing = [
        f"{document.name}: {target}#{anchor}"
        for document in LINKED_DOCUMENTS
        for target, anchor in LINK.findall(document.read_text(encoding="utf-8"))
        if not target.startswith(("http:", "https:")) and not link_works(document, target, anchor)
    ]

    assert not missing, "\n".join(missing)


def test_glossary_is_sorted_and_has_one_line_per_term() -> None:
    """Every entry of the glossary is one line, and the terms are in alphabetical order."""
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    entries = [match for line in lines if (match := re.match(r"- \*\*(.+?)\*\*: \S.*\.$", line))]
    terms = [match[1].lower() for match in entries]

    assert len(entries) == sum(line.startswith("-") for line in lines)
    assert sorted(set(terms)) == terms


def path_exists(path: str) -> bool:
    """Return whether a path, with `*` or `<name>` for any text, is in the source tree."""
    pattern = re.sub(r"<\w+>", "*", path)
    if pattern.split("/")[0] in FOLDERS:
        return any(ROOT.glob(pattern))
    return any(any((ROOT / package).rglob(pattern)) for package in PACKAGES)


def name_exists(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def link_works(document: Path, target: str, anchor: str) -> bool:
    """Return whether the target of a link exists, and has a heading with the anchor's name."""
    path = document.parent / target if target else document
    if not path.exists():
        return False
    if not anchor:
        return True
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return anchor in {anchor_of(heading) for heading in HEADING.findall(text)}


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_what_an_agent_sees_is_documented_field_by_field() -> None:
    """`docs/data.md` names every field of a snapshot and of its parts."""
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    section = text.split("## What an agent sees\n")[1].split("\n## ")[0]
    parts = (MarketSnapshot, ProductView, Ticker, CandleWindow, Candle, IndicatorWindow)
    fields = [field for part in (*parts, ContextItem) for field in part.model_fields]

    assert [] == [field for field in fields if f"`{field}`" not in section]
