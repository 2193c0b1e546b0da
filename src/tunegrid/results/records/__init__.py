"""JSON records of results, validated when they are written and when they are read.

A table can therefore never be made from a file that only looks like a result. `json_schemas()` gives the same schemas
to other programs as JSON Schema.
"""

from tunegrid.results.records.evaluation import (
    EvaluationCost,
    FormFacts,
    InferenceCost,
    MetricsRecord,
    Score,
    Speed,
    WordedScores,
    WordingsRecord,
)
from tunegrid.results.records.forgetting import ForgettingRecord
from tunegrid.results.records.json_files import json_schemas, read_any_record, read_record, write_record, written_since
from tunegrid.results.records.outcome import RunStatus
from tunegrid.results.records.preferences import CalibrationBin, Contest, JudgementRecord, RewardRecord
from tunegrid.results.records.probes import ProbeRecord, ProbeScores
from tunegrid.results.records.search import ChoiceRecord, Edge, TrialCost, TrialRecord
from tunegrid.results.records.training import Injected, Observation, Parameters, Shared, TrainingCost, TrainRecord

__all__ = [
    "CalibrationBin",
    "ChoiceRecord",
    "Contest",
    "Edge",
    "EvaluationCost",
    "ForgettingRecord",
    "FormFacts",
    "InferenceCost",
    "Injected",
    "JudgementRecord",
    "MetricsRecord",
    "Observation",
    "Parameters",
    "ProbeRecord",
    "ProbeScores",
    "RewardRecord",
    "RunStatus",
    "Score",
    "Shared",
    "Speed",
    "TrainRecord",
    "TrainingCost",
    "TrialCost",
    "TrialRecord",
    "WordedScores",
    "WordingsRecord",
    "json_schemas",
    "read_any_record",
    "read_record",
    "write_record",
    "written_since",
]
