"""Sources of rows: files, the Hub, the generated world.

To add a kind of source: a class like these in a new file, and its name here.
"""

from tunegrid.data.sources.base import SPLITS, DataSource, ReadSource, Split
from tunegrid.data.sources.files import FilesSource
from tunegrid.data.sources.generated import GeneratedSource
from tunegrid.data.sources.hub import HubSource

SOURCES: dict[str, type[DataSource]] = {"files": FilesSource, "generated": GeneratedSource, "hub": HubSource}

__all__ = ["SOURCES", "SPLITS", "DataSource", "FilesSource", "ReadSource", "Split"]
