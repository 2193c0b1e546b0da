"""index.json: the list of a report's tables and figures, with their captions."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.report.latex import label

if TYPE_CHECKING:
    from tunegrid.report.document import Report

INDEX = "index.json"
_LETTERS = 70  # of a title


def entries(report: "Report") -> list[dict[str, Any]]:
    """Tables and figures in the order of the report: name of the files, kind, number, section, title, caption."""
    first = (("table", report.glance), ("figure", report.picture))
    items = [(0, "Summary", kind, item) for kind, item in first if item]
    for number, section in enumerate(report.sections, 1):
        items += [(number, section.title, "figure", figure) for figure in section.figures]
        items += [(number, section.title, "table", table) for table in section.tables]
    numbers = report.numbers
    return [
        {
            "name": str(label(item.name)),
            "kind": kind,
            "number": numbers[item.name],
            "section_number": number,
            "section": section,
            "title": _title(item.caption),
            "caption": item.caption,
        }
        for number, section, kind, item in items
    ]


def read_index(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of a report's index.json, by name."""
    return {entry["name"]: entry for entry in json.loads((folder / INDEX).read_text(encoding="utf-8"))}


def _title(caption: str) -> str:
    """First words of a caption: up to its first full stop or colon, at most `_LETTERS` letters."""
    words = re.split(r"[.:;] ", caption, maxsplit=1)[0].rstrip(".")
    return words if len(words) <= _LETTERS else f"{words[: _LETTERS - 1].rsplit(' ', 1)[0]} …"
