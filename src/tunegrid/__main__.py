"""`python -m tunegrid` is the `tunegrid` command."""

from tunegrid.cli import command

command()
