"""The errors that a person is meant to read."""


class TuneGridError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do. Shown without a traceback."""
