"""The commands of `tunegrid`: parsing of options, supervision of trainings, exit codes."""

from tunegrid.cli.main import entry_point, main

__all__ = ["entry_point", "main"]
