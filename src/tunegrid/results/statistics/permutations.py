"""Whether several sets of answers to the same examples differ at all: a permutation test.

If it does not matter which set an answer is in, the answers to one example could change places without a difference. So
the sets' spread is held against its spread after each example's answers were dealt out anew (Fisher 1935, in blocks).
Scores of a corpus, such as BLEU, are computed anew from the sums of each deal.
"""

from collections.abc import Callable

import numpy as np

PERMUTATIONS = 1_000


def spread_p_value(
    statistics: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    units: np.ndarray | None = None,
    permutations: int = PERMUTATIONS,
) -> float:
    """p-value of the hypothesis that all sets are alike, by the variance of their scores, mean over the seeds.

    Args:
        statistics: what each example contributes to the score of each set, [seeds, examples, sets, sums]. The sets of
            an example change places in all seeds alike: they share the example, and what is odd about it.
        score: from summed statistics, [..., sums], to scores, [...].
        units: the unit of each example, [examples]; the examples of one unit change places together. None: each is one.
    """
    values = statistics.astype(float)
    if units is not None:
        names, places = np.unique(units, return_inverse=True)
        summed = np.zeros((len(values), len(names), *values.shape[2:]))
        np.add.at(summed, (slice(None), places), values)
        values = summed

    def spread(dealt: np.ndarray) -> float:
        return float(score(dealt.sum(axis=1)).var(axis=-1).mean())

    observed, generator = spread(values), np.random.default_rng(0)
    as_far = 0
    for _ in range(permutations):
        order = generator.random(values.shape[1:3]).argsort(axis=1)
        as_far += spread(np.take_along_axis(values, order[None, :, :, None], axis=2)) >= observed - 1e-12
    return (1 + as_far) / (1 + permutations)
