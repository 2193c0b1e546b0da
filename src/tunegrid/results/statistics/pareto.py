"""Pareto fronts: the cells that no other cell beats in quality and in a cost at once."""

import math
from collections.abc import Sequence


def front(scores: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Whether each cell is on the front: no other cell is at least as good and as cheap, and better in one of the two.

    Cells with equal score and cost do not dominate one another: all of them are on the front, or none. Higher scores
    and lower costs are better.
    """
    cells = list(zip(scores, costs, strict=True))
    return [not any(_dominates(other, cell) for other in cells) for cell in cells]


def _dominates(cell: tuple[float, float], other: tuple[float, float]) -> bool:
    return cell[0] >= other[0] and cell[1] <= other[1] and cell != other


def replaceable(scores: Sequence[float], costs: Sequence[float], spreads: Sequence[float]) -> list[int | None]:
    """For each cell, the next dearer cell that scores as much and costs more by no more than the two costs vary.

    Such a cell would take its place on the front if the costs were measured again and came out the other way. None:
    there is none.

    Args:
        spreads: standard deviation of each cost over runs; 0 for a cost that does not vary.
    """
    result: list[int | None] = []
    for score, cost, spread in zip(scores, costs, spreads, strict=True):
        near = [
            other
            for other, price in enumerate(costs)
            if price > cost and scores[other] >= score and price - cost <= math.hypot(spread, spreads[other])
        ]
        result.append(min(near, key=lambda other: costs[other]) if near else None)
    return result


def cheaper_and_tied(costs: Sequence[float], separated: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each cell, the cheapest cell that costs less and is not separated from it by a test; None: there is none.

    `separated` [cells, cells]: the pairs that the tests separate. The extra cost of a cell on the front over such a
    cheaper cell buys a difference that may be chance.
    """
    cheapest: list[int | None] = []
    for cell, cost in enumerate(costs):
        tied = [other for other, price in enumerate(costs) if price < cost and not separated[cell][other]]
        cheapest.append(min(tied, key=lambda other: costs[other]) if tied else None)
    return cheapest
