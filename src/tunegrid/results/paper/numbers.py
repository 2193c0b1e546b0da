"""The numbers that the paper printed in its Tables 6.1 to 6.4."""

from __future__ import annotations

import csv

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import published_folder

TASKS: dict[str, str] = {  # in the order of the paper's tables
    "translation": "Translation",
    "qa": "Question Answering",
    "sentiment": "Sentiment Classification",
}
NUMBERS: dict[str, str] = {"translation": "6.1", "qa": "6.2", "sentiment": "6.3"}


def published_rows(name: str) -> list[dict[str, str]]:
    """Reads the rows of resources/published/<name>.csv. Raises TuneGridError if it cannot be read."""
    path = published_folder() / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise TuneGridError(f"{path}: cannot be read ({error.strerror}).") from error
