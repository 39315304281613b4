"""Verifies a report: recomputes every figure from the records and lists each difference.

Reads `<run>/records/` and `<run>/report/`; writes nothing. Numbers may differ by `TOLERANCE`, the
floating-point difference between machines; everything else must be equal.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
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
"""Most differences that are listed per file; the rest are counted."""
VERSION_CHARS_MAX = 40
FIGURES_BYTES_MAX = 16 << 20
REPORT_BYTES = 1 << 20
REPORT_RATIO = 4
"""Largest file of a report: `REPORT_BYTES`, or this multiple of the recomputed size."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of a verification.

    Attributes:
        compared: Number of compared figures.
        differences: One sentence each: where, the value in the report, the recomputed value.
        notes: What could not be compared, and why.
    """

    compared: int
    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify_report(directory: Path, folder: Path) -> Verification:
    """Compare a report with figures recomputed from the records.

    Args:
        directory: Directory of the run; its `records/` is read.
        folder: Folder of the report.

    Raises:
        UsageError: There is no report, or no export.
    """
    reported = _read_figures(folder / FIGURES)
    differences = list(changed_files(directory / RECORDS).values())
    notes: list[str] = []
    try:
        facts = read_facts(directory, _options(reported), run=str(reported.get("run", "")))
    except ArenaError as error:
        return Verification(0, (*differences, f"the records cannot be read: {error}"))
    expected = orjson.loads(canonical(document(facts)))
    version, reported["arena"] = reported.get("arena"), expected["arena"]
    code, reported["code"] = reported.get("code"), expected["code"]
    if version == __version__ and code != expected["code"]:
        found = _other_code(reported, expected, facts, folder)
        return Verification(found.compared, (*differences, *found.differences), found.notes)
    if version != __version__:
        notes.append(f"written by arena {version}, checked by {__version__}")
    compared, written = _count(expected), texts(facts)
    by_other_rules: list[str] = []
    for name, found in _tables(facts, written, folder):
        compared += found.compared
        # Computed figures depend on the version; the fills are in the records.
        own = version != __version__ and name not in (files.FILLS, files.FILLS_PARQUET)
        (by_other_rules if own else differences).extend(found.differences)
        notes += [f"{name}: {note}" for note in found.notes]
    if version != __version__:
        by_other_rules += _compare(FIGURES, reported, expected)
        notes += _older_version_note(str(version), len(by_other_rules))
        differences += _pages(written, folder, comparable=False)
        return Verification(compared, tuple(differences), tuple(notes))
    # Separately, so that texts never crowd a difference of the figures out of the list.
    texts_reported, texts_expected = reported.pop(PRINTED, "nothing"), expected.pop(PRINTED)
    differences += _bounded(FIGURES, list(_compare(FIGURES, reported, expected)))
    where = f"{FIGURES} {PRINTED}"
    differences += _bounded(where, list(_compare(where, texts_reported, texts_expected)))
    differences += _pages(written, folder, comparable=not notes)
    return Verification(compared, tuple(differences), tuple(notes))


def _other_code(
    reported: dict[str, Any], expected: dict[str, Any], facts: Facts, folder: Path
) -> Verification:
    """Compare a report that other code of the same version wrote: a development version.

    Such a report may have other chapters and columns. Every figure that both have must be equal;
    texts are only counted.
    """
    texts_reported, texts_expected = reported.pop(PRINTED, {}), expected.pop(PRINTED)
    written, lacking, differences = texts(facts), Lacking(), list[str]()
    compared, notes = _count(expected), list[str]()
    differences += _bounded(FIGURES, list(_compare(FIGURES, reported, expected, lacking=lacking)))
    for name, found in _tables(facts, written, folder, lacking):
        compared += found.compared
        differences += found.differences
        notes += [f"{name}: {note}" for note in found.notes]
    differences += _pages(written, folder, comparable=False)
    changed = sum(1 for _ in _compare(PRINTED, texts_reported, texts_expected)) + lacking.sentences
    why = f"other code of arena {__version__} wrote this report"
    notes.append(
        f"{why}: {lacking.count:,} figures that only one of both has and {changed:,} texts "
        "were not compared; `arena compete report` writes them again"
    )
    if differences:
        notes.append(
            f"{why}: it may have computed the figures below in another way; check it with that "
            "code, or write the report again"
        )
    return Verification(max(0, compared - lacking.count), tuple(differences), tuple(notes))


class Lacking:
    """Counts what is not compared in a report that other code wrote.

    Attributes:
        count: Number of figures that only one of both reports has.
        sentences: Number of sentences, or lists of them, that differ: their figures are elsewhere.
    """

    def __init__(self) -> None:
        """Begin at zero."""
        self.count = 0
        self.sentences = 0


def _older_version_note(version: str, by_other_rules: int) -> Iterator[str]:
    """Yield a note on figures that this version computes differently: they are not wrong."""
    if by_other_rules:
        yield (
            f"{by_other_rules:,} figures differ because {__version__} computes them by other rules"
            f" than {version[:VERSION_CHARS_MAX]}; `arena compete report` writes them again"
        )


def _options(reported: Mapping[str, Any]) -> ReportOptions:  # Any: a JSON tree.
    try:
        return ReportOptions(**reported["options"])
    except (KeyError, TypeError):
        raise UsageError(f"{FIGURES} lacks its options", remedy="write the report again") from None


def _read_figures(path: Path) -> dict[str, Any]:  # Any: a JSON tree.
    try:
        reported = orjson.loads(read_regular(path, FIGURES_BYTES_MAX))
    except FileNotFoundError:
        raise UsageError(
            f"{path} does not exist", remedy="`arena compete report` writes it"
        ) from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    if not isinstance(reported, dict):
        raise UsageError(f"{path} holds a {type(reported).__name__}, not an object")
    return reported


def _tables(
    facts: Facts, written: Mapping[str, str], folder: Path, lacking: "Lacking | None" = None
) -> Iterator[tuple[str, Verification]]:
    yield files.FILLS, _compare_csv(folder / files.FILLS, written[files.FILLS])
    board = folder / files.LEADERBOARD
    yield files.LEADERBOARD, _compare_csv(board, written[files.LEADERBOARD], lacking)
    for name, table in (
        (files.EQUITY, files.equity_table(facts.season)),
        (files.FILLS_PARQUET, files.fills_table(facts.season)),
    ):
        yield name, _compare_parquet(folder / name, table)


def _compare_csv(path: Path, expected: str, lacking: "Lacking | None" = None) -> Verification:
    try:
        rows = files.parse_csv(expected)
        reported = files.read_csv(path, _bytes_max(expected), len(rows))
    except (OSError, ValueError, csv.Error, NotReadable) as error:
        return Verification(0, (f"{path.name} cannot be read: {error}",))
    exact = path.name == files.FILLS
    return _compare_rows(path.name, reported, rows, exact=exact, lacking=lacking)


def _bytes_max(expected: str) -> int:
    """Return the most bytes to read of a file that is compared with a text."""
    return max(REPORT_BYTES, REPORT_RATIO * len(expected.encode()))


def _compare_parquet(path: Path, expected: pa.Table) -> Verification:
    try:
        reported = files.read_parquet(path, expected.schema, expected.num_rows)
    except (OSError, ArenaError, pa.ArrowException) as error:
        return Verification(0, (f"{path.name} cannot be read: {str(error)[:300]}",))
    if reported.equals(expected):
        return Verification(expected.num_rows * expected.num_columns, ())
    exact = path.name == files.FILLS_PARQUET
    return _compare_rows(path.name, reported.to_pylist(), expected.to_pylist(), exact=exact)


def _compare_rows(
    name: str,
    reported: Sequence[Mapping[str, object]],
    expected: Sequence[Mapping[str, object]],
    *,
    exact: bool,
    lacking: "Lacking | None" = None,
) -> Verification:
    """Compare row by row; `exact` if amounts are exact text."""
    found: list[str] = []
    if len(reported) != len(expected):
        found.append(f"{name} has {len(reported):,} rows, the records give {len(expected):,}")
    for number, (one, two) in enumerate(zip(reported, expected, strict=False), 1):
        who = two.get("name") or two.get("agent") or ""
        where = f"{name} row {number} ({who})"
        found += _compare(where, dict(one), dict(two), exact=exact, lacking=lacking)
    return Verification(sum(len(row) for row in expected), tuple(_bounded(name, found)))


def _bounded(name: str, found: Sequence[str]) -> Sequence[str]:
    more = len(found) - NAMED_MAX
    return [*found[:NAMED_MAX], f"{name}: and {more:,} more"] if more > 0 else found


def _pages(written: Mapping[str, str], folder: Path, *, comparable: bool) -> Iterator[str]:
    """Compare the page and the Markdown byte by byte, if the same version wrote them."""
    for name in (PAGE, MARKDOWN):
        try:
            reported = read_text_file(folder / name, _bytes_max(written[name]))
        except (OSError, UnicodeDecodeError, NotReadable) as error:
            yield f"{name} cannot be read: {error}"
            continue
        if comparable and reported != written[name]:
            lines = zip(reported.splitlines(), written[name].splitlines(), strict=False)
            at = next((n for n, (a, b) in enumerate(lines, 1) if a != b), 0)
            where = f"from line {at}" if at else "at its end"
            yield f"{name} differs from the recomputed one {where}"


def _compare(
    where: str,
    reported: object,
    expected: object,
    *,
    exact: bool = False,
    lacking: "Lacking | None" = None,
) -> Iterator[str]:
    """Yield what differs; with `lacking`, keys that only one of both has are counted instead."""
    if isinstance(reported, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *reported]):
            if lacking is not None and (key not in reported or key not in expected):
                lacking.count += _count(reported.get(key, expected.get(key)))
                continue
            yield from _compare(
                f"{where} {key}",
                reported.get(key, "nothing"),
                expected.get(key, "nothing"),
                exact=exact,
                lacking=lacking,
            )
    elif lacking is not None and _are_sentences(reported) and _are_sentences(expected):
        lacking.sentences += reported != expected
    elif isinstance(reported, list) and isinstance(expected, list):
        if len(reported) != len(expected):
            yield f"{where}: {len(reported)} items in the report, the records give {len(expected)}"
        for number, (one, two) in enumerate(zip(reported, expected, strict=False)):
            yield from _compare(
                f"{where}[{_label(two, number)}]", one, two, exact=exact, lacking=lacking
            )
    elif reported != expected and (exact or not _close(reported, expected)):
        yield f"{where}: the report says {_short(reported)}, the records give {_short(expected)}"


def _are_sentences(value: object) -> bool:
    """True for a text of several words, and for a list of such texts."""
    values = value if isinstance(value, list) and value else [value]
    return all(isinstance(one, str) and " " in one.strip() for one in values)


def _label(item: object, number: int) -> str:
    """Return the name of a list item, or its index without one."""
    name = (item.get("name") or item.get("agent")) if isinstance(item, dict) else None
    return str(name or number)


def _close(reported: object, expected: object) -> bool:
    one, two = _float(reported), _float(expected)
    if one is None or two is None or isinstance(reported, bool) or isinstance(expected, bool):
        return False
    return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _float(value: object) -> float | None:
    """Return a number, also from its text as in CSV; None for other values."""
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
