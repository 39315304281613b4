"""Writes all files of a run's report: page, Markdown, tables and figures.

Writes `<run>/report/` or another folder. The files are written next to it and moved into place when
all are complete.
"""

import os
import shutil
from pathlib import Path

from judge.report import files
from judge.report.daily import daily_document
from judge.report.document import document
from judge.report.facts import Facts, canonical
from judge.report.page import html, markdown

REPORT = "report"
PAGE = "index.html"
MARKDOWN = "report.md"
FIGURES = "figures.json"
DAILY = "daily.json"


def write_report(facts: Facts, folder: Path) -> Path:
    """Write every file of the report; an older report is replaced.

    Args:
        facts: Figures of the run.
        folder: Folder to write, usually `<run>/report`.

    Returns:
        The path of the page.

    Raises:
        OSError: The report cannot be written; an older one is unchanged.
    """
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for name, text in texts(facts).items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
        (draft / FIGURES).write_bytes(canonical(document(facts)))
        daily = daily_document(facts.run, facts.season, facts.daily)
        (draft / DAILY).write_bytes(canonical(daily))
        files.write_parquet(draft / files.EQUITY, files.equity_table(facts.season))
        files.write_parquet(draft / files.FILLS_PARQUET, files.fills_table(facts.season))
        _replace(folder, draft)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder / PAGE


def texts(facts: Facts) -> dict[str, str]:
    """Return the report's text files by name."""
    return {
        PAGE: html(facts),
        MARKDOWN: markdown(facts),
        files.LEADERBOARD: files.leaderboard_csv(facts),
        files.FILLS: files.fills_csv(facts.season),
    }


def _replace(folder: Path, draft: Path) -> None:
    """Replace an older report; other files in the folder stay."""
    if not folder.exists():
        draft.rename(folder)
        return
    for path in draft.iterdir():
        path.replace(folder / path.name)
