"""Pareto fronts: the cells that no other cell beats in quality and in a cost at once."""

from collections.abc import Sequence


def front(scores: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Which cells are on the front: no other one is at least as good and at least as cheap, and better in one of both.

    Cells that are equal in both do not beat one another: all of them are on the front, or none. Higher scores and lower
    costs are better.
    """
    cells = list(zip(scores, costs, strict=True))
    return [not any(_dominates(other, cell) for other in cells) for cell in cells]


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def cheaper_and_tied(costs: Sequence[float], separated: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each cell the cheapest of the cells that cost less and that no test tells apart from it; None: there is none.

    `separated` [cells, cells] says which pairs the tests tell apart. What a cell on the front costs more than such a
    cheaper one buys a difference that may be chance.
    """
    found: list[int | None] = []
    for cell, cost in enumerate(costs):
        tied = [other for other, price in enumerate(costs) if price < cost and not separated[cell][other]]
        found.append(min(tied, key=lambda other: costs[other]) if tied else None)
    return found
