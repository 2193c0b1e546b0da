"""One number for quality and cost together, and how far it depends on what a cost is taken to be worth.

PSCP (Belanec et al. 2025, *PEFT-Bench*, arXiv 2511.21285) multiplies a score with a penalty for each of three costs:

    score * (1 + P / C_p)^-beta * (1 + F / C_f)^-beta * (1 + M / C_m)^-beta

P: trainable parameters, F: FLOPs of inference, M: memory of training. Its constants are made for models of billions of
parameters (5e8, 10 TFLOP, 94 GB): at ours they would hardly penalise anything. Here each is what the dearest takes,
which is, or nearly is, full fine-tuning of the largest model (`constants`): a cost that is as high as it gets divides
the score by 2^beta, whichever of the three it is. Another difference: the authors' F is what a method adds to its one
base model. A study here has several bases, so F is all of it.

Nobody can measure the right beta: so there is not one score, but a ranking for each beta of a grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tunegrid.common.citations import BELANEC_2025, Formula

BETAS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


SCORE = Formula(
    "Efficiency score",
    r"\mathrm{score} \times (1 + P / C_P)^{-\beta} \times (1 + F / C_F)^{-\beta} \times (1 + M / C_M)^{-\beta}",
    "the score, times one plus P over C P to the minus beta, times one plus F over C F to the minus beta, times one "
    "plus M over C M to the minus beta",
    "P are the trainable parameters, F the operations of one answer, M the peak memory of training; each constant C is "
    "what the dearest takes in this study. β, what a cost is worth, cannot be measured.",
    (BELANEC_2025,),
)


@dataclass(frozen=True)
class Costs:
    """The three costs of a cell, or the three constants."""

    parameters: float  # trainable
    flops: float  # of one test example
    memory: float  # bytes at the peak of training


def constants(cells: Sequence[Costs], largest_base: float) -> Costs:
    """The constants of a task.

    Args:
        cells: the costs of its cells; the highest FLOPs and the highest memory among them are constants.
        largest_base: parameters of the study's largest base model: what training all of it trains.
    """
    return Costs(largest_base, max(cell.flops for cell in cells), max(cell.memory for cell in cells))


def score(quality: float, cell: Costs, scale: Costs, beta: float) -> float:
    """The score of a cell, from 0 to `quality`."""
    product = (
        (1 + cell.parameters / scale.parameters) * (1 + cell.flops / scale.flops) * (1 + cell.memory / scale.memory)
    )
    return quality * product**-beta


def ranks(scores: Sequence[float]) -> list[int]:
    """1 for the highest; equal scores share the better rank, as in sports."""
    return [1 + sum(other > score for other in scores) for score in scores]
