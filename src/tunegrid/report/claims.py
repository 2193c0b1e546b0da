"""What the paper's section 5.3 says about tuning techniques, in short, and what the results of a study say to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunegrid.common.words import plural
from tunegrid.report.claim_rules import (
    MARGIN,
    NOTHING,
    Cells,
    Rule,
    answers_held_out_tasks,
    compared_cost,
    computes_more_than_its_start,
    depends_on,
    depends_on_wording,
    forgets,
    higher_scores,
    keeps,
    over_optimised,
    share_within,
    unstable,
)
from tunegrid.report.tables import Frames
from tunegrid.results.expected import Expected

SHARE = 2 / 3
OUTCOMES = ("supported", "not supported", "not tested")
RULE = (
    "The rule: a claim about scores is held against every pair of cells of one task and model that it speaks of, and "
    "counts where the paired test separates them; a claim about costs against every such pair, or every cell, by means "
    f"over seeds (seconds have to differ by {100 * (MARGIN - 1):.0f}%; so have the operations of merged models, for "
    "answers differ in length). RLHF takes much computation where it and its "
    "reward model compute more than the tuning that it starts from. A claim about tasks that were held out is held "
    "against the interval of the difference to the untuned model, one about what is kept of pretraining against the "
    "pretraining loss, where the study measures them. A technique depends on a setting where two of its cells that "
    "differ in it are separated, and on the wording where the answers to a task's wordings differ by more than chance "
    "(a permutation test). A run of RLHF is unstable where it diverges, collapses, or ends with a mean reward below an "
    "earlier evaluation's by more than noise. Supported: two thirds of them or more count for the "
    "claim. Not supported: fewer do. Not tested: the study has nothing that could tell."
)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        section: where the paper says it.
        kind: what it is about, a value of `Named.technique`.
        text: what is said, in short.
        test: what the results say; None: they can say nothing.
        unit: what is counted.
        retention: whether it is about what is kept of pretraining.
        missing: why a study that has the technique may not tell.
    """

    section: str
    kind: str
    text: str
    test: Rule | None = None
    unit: str = "pair"
    retention: bool = False
    missing: str = "not measured here"


@dataclass(frozen=True)
class Verdict:
    claim: Claim
    outcome: str  # of OUTCOMES
    evidence: str


MORE, MOST = 1.0 + 1e-9, float("inf")
FORGETTING = {"retention": True, "missing": "the study does not measure forgetting"}
ROOM = {"missing": "sources of all techniques are cut at the same length"}
CLAIMS = (
    Claim("5.3.1.1", "full", "scores highest of all", higher_scores()),
    Claim("5.3.1.2", "full", "takes the most memory to train", compared_cost("peak_memory_bytes", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "takes the most computation to train",
          compared_cost("training_flops", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "saves the most bytes, a copy of all weights",
          compared_cost("saved_bytes", None, MORE, MOST)),
    Claim("5.3.1.2", "full", "forgets what was learned in pretraining", forgets, "cell", **FORGETTING),
    Claim("5.3.1.2", "full", "overfits small data sets more than others",
          missing="needs training sets of several sizes"),
    Claim("5.3.2.1", "adapters", "trains 1 to 4% of the parameters", share_within(0.01, 0.04), "cell"),
    Claim("5.3.2.1", "adapters", "keeps what was learned in pretraining", keeps, **FORGETTING),
    Claim("5.3.2.2", "adapters", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.2.2", "adapters", "computes more to predict",
          compared_cost("deployed_inference_flops", "full", MORE, MOST)),
    Claim("5.3.2.2", "adapters", "is slower to predict, but little",
          compared_cost("deployed_latency_seconds", "full", 1.0, 1.25)),
    Claim("5.3.3.1", "lora", "trains less than 1% of the parameters", share_within(0.0, 0.01), "cell"),
    Claim("5.3.3.1", "lora", "takes less memory to train than full fine-tuning",
          compared_cost("peak_memory_bytes", "full", 0.0, 1 - 1e-9)),
    Claim("5.3.3.1", "lora", "computes no more to predict than the base, once merged",
          compared_cost("deployed_inference_flops", "full", 0.0, MARGIN)),
    Claim("5.3.3.1", "lora", "keeps what was learned in pretraining", keeps, **FORGETTING),
    Claim("5.3.3.2", "lora", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.3.2", "lora", "depends on a rank that is chosen well", depends_on("method.r"),
          missing="needs cells of two ranks"),
    Claim("5.3.4.1", "prefix", "trains 0.1 to 1% of the parameters", share_within(0.001, 0.01), "cell"),
    Claim("5.3.4.1", "prefix", "is as fast to predict as the base",
          compared_cost("deployed_latency_seconds", "full", 0.0, MARGIN)),
    Claim("5.3.4.1", "prefix", "keeps what was learned in pretraining", keeps, **FORGETTING),
    Claim("5.3.4.2", "prefix", "leaves less room for the source", **ROOM),
    Claim("5.3.4.2", "prefix", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.5.1", "prompt", "trains less than 0.1% of the parameters", share_within(0.0, 0.001), "cell"),
    Claim("5.3.5.1", "prompt", "saves the fewest bytes", compared_cost("saved_bytes", None, 0.0, 1 - 1e-9)),
    Claim("5.3.5.1", "prompt", "keeps what was learned in pretraining", keeps, **FORGETTING),
    Claim("5.3.5.2", "prompt", "leaves less room for the source", **ROOM),
    Claim("5.3.5.2", "prompt", "needs a learning rate and a length that are chosen well",
          depends_on("method.length", "training.learning_rate"), missing="needs cells of two lengths or rates"),
    Claim("5.3.5.2", "prompt", "scores below full fine-tuning", higher_scores("full", -1)),
    Claim("5.3.6.1", "instruction", "answers tasks that it was not trained on", answers_held_out_tasks, "cell",
          missing="no task is held out of the mixture"),
    Claim("5.3.6.2", "instruction", "takes as much computation to train as full fine-tuning",
          compared_cost("training_flops", "full", 0.9, MOST)),
    Claim("5.3.6.2", "instruction", "depends on how an instruction is worded", depends_on_wording, "cell"),
    Claim("5.3.6.3", "instruction", "scores below a model that is tuned on the task alone", higher_scores("full", -1)),
    Claim("5.3.7.2", "ppo", "takes much computation for the reward model and for the tuning",
          computes_more_than_its_start, "cell"),
    Claim("5.3.7.2", "ppo", "finds weaknesses of its reward model", over_optimised, "cell"),
    Claim("5.3.7.2", "ppo", "is unstable to train", unstable, "run"),
)  # fmt: skip


def verdicts(frames: Frames, expected: Expected) -> Iterator[Verdict]:
    """The verdict on each claim, in the order of the paper."""
    cells = Cells(frames, expected)
    for claim in CLAIMS:
        counts = claim.test(cells, claim.kind) if claim.test else NOTHING
        if not counts.total:
            has = any(True for _ in cells.of_kind(claim.kind))
            yield Verdict(claim, OUTCOMES[2], claim.missing if has else "not in this study")
            continue
        undecided = counts.total - counts.held - counts.against
        evidence = f"{counts.held} of {plural(counts.total, claim.unit)} for it, {counts.against} against"
        evidence += f", {undecided} not separated" if undecided else ""
        evidence += f"; {counts.note}" if counts.note else ""
        yield Verdict(claim, OUTCOMES[0] if counts.held >= SHARE * counts.total else OUTCOMES[1], evidence)
