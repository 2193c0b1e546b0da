"""Settings of the recommendation (`recommend:` of a study), and what is measured for it (`measure:`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from tunegrid.common.digits import GIB, without_exponent
from tunegrid.common.fields import Closed, check_distinct
from tunegrid.common.words import listed
from tunegrid.models.forms import form_named

PLAIN = "plain"  # the weights as they were trained


def _known_form(name: str) -> str:
    return form_named(name).name


def _known_candidate(name: str) -> str:
    return name if name == PLAIN else _known_form(name)


FormName = Annotated[str, Field(max_length=64), AfterValidator(_known_form)]
CandidateForm = Annotated[str, Field(max_length=64), AfterValidator(_known_candidate)]

LEAST = {  # cost -> what the cheapest has, in words
    "trainable_parameters": "fewest trainable parameters, then the fewest parameters, then the least training time",
    "train_hours": "least training time",
    "train_gpu_memory": "least memory in training",
    "train_flops": "fewest operations in training",
    "saved_bytes": "smallest saved weights",
    "prediction_seconds": "least time to predict the test set",
    "prediction_memory": "least memory in prediction",
    "latency": "least time for one answer",
}
CostName = Literal[tuple(LEAST)]


class Measure(Closed):
    """What is measured in addition to the scores. It alters no result."""

    latency_examples: int = Field(
        20,
        ge=0,
        le=100_000,
        description=(
            "Test examples that each run answers one at a time, for the latency of one answer. 0: no latency "
            "and no throughput is measured."
        ),
    )


class Recommend(Closed):
    """Cells over a limit are not recommended; of those that tie with the best, the one with the least cost is."""

    cost: CostName = Field(
        "trainable_parameters",
        description="What the cheapest of tied cells has least of; `latency`: the time of one answer.",
    )
    margin: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "How much less than the best is as good to you, in the primary metric on a scale of 0 to 1: 0.01 is one "
            "point. A cell other than the best is then recommended only if two one-sided tests show it to be within "
            "the margin of the best. Without it, cells that no test separates from the best are tied with it."
        ),
    )
    forms: list[CandidateForm] = Field(
        [PLAIN],
        min_length=1,
        max_length=20,
        description=(
            "Forms of a cell's weights that may be recommended: `plain`, as they were trained, and names under "
            "`compress`."
        ),
    )
    max_train_gpu_memory: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description=(
            "Peak memory of training, in GiB (the GPU's, where one is used). Cells over it are not recommended."
        ),
    )
    max_train_hours: float | None = Field(None, gt=0, le=1_000_000, description="Hours of optimisation of one run.")
    max_saved_bytes: int | None = Field(
        None, gt=0, le=10**15, description="Size of the saved weights of one run, in bytes."
    )

    _is_distinct = field_validator("forms")(check_distinct)

    @property
    def compressed(self) -> list[str]:
        """The forms that may be recommended beside the weights as they were trained."""
        return [name for name in self.forms if name != PLAIN]

    def in_words(self) -> str:
        """The limits and the cost as sentences, for the report's rule of the recommendation."""
        given = {
            "max_train_gpu_memory": "{:g} GiB of memory in training",
            "max_train_hours": "{:g} hours of training",
            "max_saved_bytes": "{:,} bytes of saved weights",
        }
        limits = [text.format(value) for key, text in given.items() if (value := getattr(self, key)) is not None]
        first = f"The study's limits come first: at most {', '.join(limits)}. " if limits else ""
        margin = ""
        if self.margin is not None:
            margin = (
                f"The study's margin is {self.margin:g}: the cheapest is taken of the best and of the cells that two "
                f"one-sided tests show to be within {self.margin:g} of it, not of the tied ones. "
            )
        forms = ""
        if self.compressed:
            plain = "with its weights as they were trained and, " if PLAIN in self.forms else ""
            forms = (
                f"Each cell is a candidate {plain}where they merge into plain weights, as {listed(self.compressed)}. "
                "The forms of a cell share its seeds, so that only the test rows tell them apart; of forms that cost "
                "the same, the one with fewer bytes of weights is the cheaper. "
            )
        return f"{forms}{first}{margin}The cheapest is the one with the {LEAST[self.cost]}"

    def reason_against(self, cost: Measured) -> str | None:
        """The reason why a cell of this cost is over a limit; None if it is within all limits."""
        limits = (
            ("max_train_gpu_memory", self.max_train_gpu_memory, _over(cost.train_memory_bytes, GIB), "GiB to train"),
            ("max_train_hours", self.max_train_hours, _over(cost.train_seconds, 3600), "hours to train"),
            ("max_saved_bytes", self.max_saved_bytes, _over(cost.saved_bytes, 1), "bytes of weights"),
        )
        for key, limit, value, unit in limits:
            if limit is None:
                continue
            bound = f"recommend.{key} is {limit:.15g}"
            if value is None:
                return f"not recommended: what it needs is not known, and {bound}"
            if value > limit:
                return f"not recommended: {without_exponent(value, 4)} {unit}, {bound}"
        return None


class Measured(Closed):
    """The cost of one run of a cell: for memory and size the maximum over seeds, for times the mean; None: unknown."""

    train_seconds: float | None = None
    train_memory_bytes: float | None = None
    train_flops: float | None = None
    saved_bytes: float | None = None
    prediction_seconds: float | None = None  # of the test set
    prediction_memory_bytes: float | None = None
    latency_seconds: float | None = None  # of one answer; with merged weights, where the method can merge them


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit
