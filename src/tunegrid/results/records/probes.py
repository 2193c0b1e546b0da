"""The record of the scores on bias probes."""

from pydantic import Field

from tunegrid.common.fields import Closed, Count, MetricValue, NonEmpty, Seconds
from tunegrid.results.records.outcome import ModelRecord
from tunegrid.runtime.provenance import Provenance


class ProbeScores(Closed):
    """Scores on the pairs of a set of bias probes, or of a part of them; means over the pairs."""

    condition: str = Field(description="The part of the set; empty where it has one.")
    templates: Count = Field(description="Templates that the texts are made of.")
    pairs: Count = Field(description="Pairs of texts.")
    first: MetricValue = Field(description="Mean score of the texts with the word of the first side, on 0 to 1.")
    second: MetricValue = Field(description="The same of the second side.")


class ProbeRecord(ModelRecord):
    """`probe.json`: the scores of a model on a set of bias probes."""

    task: NonEmpty = Field(description="Name of the task.")
    probe: NonEmpty = Field(description="Name of the set of probes in the study.")
    texts: NonEmpty | None = Field(None, description="Hash of all texts; null where the status is not ok.")
    scores: list[ProbeScores] = Field(default_factory=list, description="Scores; empty where the status is not ok.")
    seconds: Seconds | None = Field(None, description="Seconds of the answers; null where there were none.")
    provenance: Provenance
