"""Is the report what the records give? Recomputes every figure and names each difference.

Reads `<run>/records/` and `<run>/report/`; writes nothing. Numbers may differ by `TOLERANCE`, which
is what another machine's floating point can do; everything else must be the same.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import plotly
import pyarrow as pa

from arena import __version__
from arena.bounded_files import NotReadable, read_regular, read_text_file
from arena.errors import ArenaError, UsageError
from arena.exports import changed_files
from judge.report import files
from judge.report.document import PRINTED, document
from judge.report.facts import RECORDS, Facts, ReportOptions, canonical, read_facts
from judge.report.write import FIGURES, MARKDOWN, PAGE, texts

TOLERANCE = 1e-9
NAMED_MAX = 1_000
VERSION_CHARS_MAX = 40
FIGURES_BYTES_MAX = 16 << 20
REPORT_BYTES = 1 << 20
REPORT_RATIO = 4
"""A file of the report may have `REPORT_BYTES`, or so many times what the records give."""
"""Differences named of one file; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    Attributes:
        compared: Figures that were compared.
        differences: One sentence each: where, what the report says, what the records give.
        notes: What could not be compared, and why.
    """

    compared: int
    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify_report(directory: Path, folder: Path) -> Verification:
    """Compare a report with what the records give.

    Args:
        directory: The run's; its `records/` is read.
        folder: The report's.

    Raises:
        UsageError: There is no report, or no export.
    """
    told = _read_figures(folder / FIGURES)
    differences = list(changed_files(directory / RECORDS).values())
    notes: list[str] = []
    try:
        facts = read_facts(directory, _options(told), run=str(told.get("run", "")))
    except ArenaError as error:
        return Verification(0, (*differences, f"the records cannot be read: {error}"))
    given = orjson.loads(canonical(document(facts)))
    version, told["arena"] = told.get("arena"), given["arena"]
    if version != __version__:
        notes.append(f"written by arena {version}, checked by {__version__}")
    compared, written = _count(given), texts(facts)
    otherwise: list[str] = []
    for name, found in _tables(facts, written, folder):
        compared += found.compared
        # What is computed of fills and prices is the version's; the fills are the records'.
        own = version != __version__ and name not in (files.FILLS, files.FILLS_PARQUET)
        (otherwise if own else differences).extend(found.differences)
        notes += [f"{name}: {note}" for note in found.notes]
    if version != __version__:
        otherwise += _compare(FIGURES, told, given)
        notes += _older_version_note(str(version), len(otherwise))
        differences += _pages(written, folder, comparable=False)
        return Verification(compared, tuple(differences), tuple(notes))
    # Apart, so that texts of the page never push a difference of the figures out of the bound.
    texts_told, texts_given = told.pop(PRINTED, "nothing"), given.pop(PRINTED)
    differences += _bounded(FIGURES, list(_compare(FIGURES, told, given)))
    where = f"{FIGURES} {PRINTED}"
    differences += _bounded(where, list(_compare(where, texts_told, texts_given)))
    differences += _pages(written, folder, comparable=not notes)
    return Verification(compared, tuple(differences), tuple(notes))


def _older_version_note(version: str, otherwise: int) -> Iterator[str]:
    """What is said of figures that this version computes otherwise: they are not wrong."""
    if otherwise:
        yield (
            f"{otherwise:,} figures come out otherwise: {__version__} computes them by other rules"
            f" than {version[:VERSION_CHARS_MAX]}; `arena compete report` writes them again"
        )


def _options(told: Mapping[str, Any]) -> ReportOptions:  # Any: a JSON tree.
    try:
        return ReportOptions(**told["options"])
    except (KeyError, TypeError):
        raise UsageError(f"{FIGURES} names no options", remedy="write the report again") from None


def _read_figures(path: Path) -> dict[str, Any]:  # Any: a JSON tree.
    try:
        told = orjson.loads(read_regular(path, FIGURES_BYTES_MAX))
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", remedy="`arena compete report` writes it") from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise UsageError(f"{path} holds a {type(told).__name__}, not an object")
    return told


def _tables(
    facts: Facts, written: Mapping[str, str], folder: Path
) -> Iterator[tuple[str, Verification]]:
    for name in (files.FILLS, files.LEADERBOARD):
        yield name, _compare_csv(folder / name, written[name])
    for name, table in (
        (files.EQUITY, files.equity_table(facts.season)),
        (files.FILLS_PARQUET, files.fills_table(facts.season)),
    ):
        yield name, _compare_parquet(folder / name, table)


def _compare_csv(path: Path, given: str) -> Verification:
    try:
        rows = files.parse_csv(given)
        told = files.read_csv(path, _bytes_max(given), len(rows))
    except (OSError, ValueError, csv.Error, NotReadable) as error:
        return Verification(0, (f"{path.name} cannot be read: {error}",))
    exact = path.name == files.FILLS
    return _compare_rows(path.name, told, rows, exact=exact)


def _bytes_max(given: str) -> int:
    """Bytes of a file that is compared with a text; a larger one is not that text."""
    return max(REPORT_BYTES, REPORT_RATIO * len(given.encode()))


def _compare_parquet(path: Path, given: pa.Table) -> Verification:
    try:
        told = files.read_parquet(path, given.schema, given.num_rows)
    except (OSError, ArenaError, pa.ArrowException) as error:
        return Verification(0, (f"{path.name} cannot be read: {str(error)[:300]}",))
    if told.equals(given):
        return Verification(given.num_rows * given.num_columns, ())
    exact = path.name == files.FILLS_PARQUET
    return _compare_rows(path.name, told.to_pylist(), given.to_pylist(), exact=exact)


def _compare_rows(
    name: str,
    told: Sequence[Mapping[str, object]],
    given: Sequence[Mapping[str, object]],
    *,
    exact: bool,
) -> Verification:
    """Row by row; `exact` where amounts are exact text."""
    found: list[str] = []
    if len(told) != len(given):
        found.append(f"{name} has {len(told):,} rows, the records give {len(given):,}")
    for number, (one, two) in enumerate(zip(told, given, strict=False), 1):
        who = two.get("name") or two.get("agent") or ""
        where = f"{name} row {number} ({who})"
        found += _compare(where, dict(one), dict(two), exact=exact)
    return Verification(sum(len(row) for row in given), tuple(_bounded(name, found)))


def _bounded(name: str, found: Sequence[str]) -> Sequence[str]:
    more = len(found) - NAMED_MAX
    return [*found[:NAMED_MAX], f"{name}: and {more:,} more"] if more > 0 else found


def _pages(written: Mapping[str, str], folder: Path, *, comparable: bool) -> Iterator[str]:
    """The page and the Markdown, byte for byte, where the same version wrote them."""
    for name in (PAGE, MARKDOWN):
        try:
            told = read_text_file(folder / name, _bytes_max(written[name]))
        except (OSError, UnicodeDecodeError, NotReadable) as error:
            yield f"{name} cannot be read: {error}"
            continue
        if comparable and told != written[name]:
            lines = zip(told.splitlines(), written[name].splitlines(), strict=False)
            at = next((n for n, (a, b) in enumerate(lines, 1) if a != b), 0)
            where = f"from line {at} on" if at else "at its end"
            yield f"{name} is not what the records give, {where} (plotly {plotly.__version__})"


def _compare(where: str, told: object, given: object, *, exact: bool = False) -> Iterator[str]:
    if isinstance(told, dict) and isinstance(given, dict):
        for key in dict.fromkeys([*given, *told]):
            yield from _compare(
                f"{where} {key}", told.get(key, "nothing"), given.get(key, "nothing"), exact=exact
            )
    elif isinstance(told, list) and isinstance(given, list):
        if len(told) != len(given):
            yield f"{where}: {len(told)} items in the report, the records give {len(given)}"
        for number, (one, two) in enumerate(zip(told, given, strict=False)):
            yield from _compare(f"{where}[{_label(two, number)}]", one, two, exact=exact)
    elif told != given and (exact or not _close(told, given)):
        yield f"{where}: the report says {_short(told)}, the records give {_short(given)}"


def _label(item: object, number: int) -> str:
    """A list's item by its own name, where it has one."""
    name = (item.get("name") or item.get("agent")) if isinstance(item, dict) else None
    return str(name or number)


def _close(told: object, given: object) -> bool:
    one, two = _float(told), _float(given)
    if one is None or two is None or isinstance(told, bool) or isinstance(given, bool):
        return False
    return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _float(value: object) -> float | None:
    """A number, or the text of one as CSV has it."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and ("." in value or "e" in value):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _count(tree: object) -> int:
    if isinstance(tree, dict):
        return sum(map(_count, tree.values()))
    if isinstance(tree, list):
        return sum(map(_count, tree))
    return 1
