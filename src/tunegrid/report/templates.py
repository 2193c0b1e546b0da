"""The templates of reports, cards and pages: Jinja2 over `report/templates/`."""

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import templates_folder


def environment(**options: Any) -> Environment:
    """Jinja2 that escapes for HTML and refuses what is not defined; `options`: of `jinja2.Environment`, over ours.

    Raises TuneGridError where the templates are not there.
    """
    folder = templates_folder()
    if not (folder / "report.tex.j2").exists():
        raise TuneGridError(f"{folder}: the report's templates are not there. Install the package again.")
    ours = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    return Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined, **ours | options)


@cache  # read once: a running server's script stays the one whose digest its headers name
def file_text(name: str) -> str:
    """The text of a file beside the templates, in which nothing is filled in."""
    return (templates_folder() / name).read_text(encoding="utf-8")
