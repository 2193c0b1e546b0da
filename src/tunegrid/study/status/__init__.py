"""The status of a study at a glance: what is done, what runs, what failed, and the remaining time."""

from tunegrid.study.status.read import StudyStatus, read_status
from tunegrid.study.status.text import format_status, show_status

__all__ = ["StudyStatus", "format_status", "read_status", "show_status"]
