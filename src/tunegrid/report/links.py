"""How the report and its page of examples name a result in a link."""

from typing import Any
from urllib.parse import urlencode

from tunegrid.common.digits import absent

PAGE = "examples/index.html"  # relative to the report's folder


def key_of(row: Any) -> str:
    """The name of a cell, an untuned model or a baseline, given its row of a tidy table: run/mini-t5/lora."""
    return "/".join(name for name in (row.kind, row.model, row.method) if not absent(name))


def link_to(row: Any) -> str:
    """The address, relative to the report's folder, of the test rows with the answers of a row of a tidy table."""
    return f"{PAGE}#{urlencode({'task': row.task, 'a': key_of(row)})}"
