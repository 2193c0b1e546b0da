"""What is learnt: rows to text, stride windows, predictions, scores.

To add a kind of task: a class like these in a new file, and its name here.
"""

from tunegrid.data.sources.base import Row
from tunegrid.tasks.base import ScoredPredictions, Task, TaskSettings
from tunegrid.tasks.classification import Classification, PairClassification
from tunegrid.tasks.generation import TextGeneration
from tunegrid.tasks.metrics import METRICS, Metric
from tunegrid.tasks.ner import Ner
from tunegrid.tasks.question_answering import QuestionAnswering
from tunegrid.tasks.sentiment import Sentiment
from tunegrid.tasks.summarisation import Summarisation
from tunegrid.tasks.translation import Translation
from tunegrid.tasks.values import RowError

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "generation": TextGeneration,
    "ner": Ner,
    "pair-classification": PairClassification,
    "qa": QuestionAnswering,
    "sentiment": Sentiment,
    "summarisation": Summarisation,
    "translation": Translation,
}

__all__ = ["METRICS", "TASKS", "Metric", "Row", "RowError", "ScoredPredictions", "Task", "TaskSettings"]
