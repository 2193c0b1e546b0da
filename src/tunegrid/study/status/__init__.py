"""A running study at a glance: what is done, what runs, what failed, how long it still takes."""

from tunegrid.study.status.read import Status, read
from tunegrid.study.status.text import show, text

__all__ = ["Status", "read", "show", "text"]
