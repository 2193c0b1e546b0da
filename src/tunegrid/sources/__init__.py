"""Where rows come from. To add a kind of source: a class like these in a new file, and its name here."""

from tunegrid.sources.base import SPLITS, DataSource, RawRow, ReadSource, Split
from tunegrid.sources.files import FilesSource
from tunegrid.sources.generated import GeneratedSource
from tunegrid.sources.hub import HubSource

SOURCES: dict[str, type[DataSource]] = {"files": FilesSource, "generated": GeneratedSource, "hub": HubSource}

__all__ = ["SOURCES", "SPLITS", "DataSource", "RawRow", "ReadSource", "Split"]
