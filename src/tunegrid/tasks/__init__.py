"""What is learnt. To add a kind of task: a class like these in a new file, and its name here."""

from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import Metric, RowError, Scores, Task, TaskSettings
from tunegrid.tasks.question_answering import QuestionAnswering
from tunegrid.tasks.sentiment import Sentiment
from tunegrid.tasks.translation import Translation

TASKS: dict[str, type[Task]] = {"qa": QuestionAnswering, "sentiment": Sentiment, "translation": Translation}

__all__ = ["TASKS", "Metric", "Row", "RowError", "Scores", "Task", "TaskSettings"]
