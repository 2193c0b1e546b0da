"""The commands of `tunegrid`: parsing of options, supervision of trainings, exit codes."""

from tunegrid.cli.client import entry_point


def main(arguments: list[str] | None = None) -> int:
    """Runs one command in this process; see `dispatch.main`, which is imported only here: it imports all commands."""
    from tunegrid.cli import dispatch

    return dispatch.main(arguments)


__all__ = ["entry_point", "main"]
