"""`python -m tunegrid` is the `tunegrid` command."""

from tunegrid.cli import entry_point

entry_point()
