"""The `tunegrid` command."""

from tunegrid.cli.main import entry_point, main

__all__ = ["entry_point", "main"]
