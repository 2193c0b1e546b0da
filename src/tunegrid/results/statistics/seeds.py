"""How far the mean over a few seeds may lie from the mean over all seeds.

Three or five runs tell little about the spread between seeds: resampling three of them shows two thirds of their
variance, and the plain percentile bootstrap then covers far less than 95 %. So the seeds are not resampled:

1. s², the variance of a cell's scores over its seeds, holds the seeds' own variance and what the finite test set adds
   to each run. The latter is known from the bootstrap over examples.
2. With d = seeds - 1 degrees of freedom s² is a poor estimate, and the cells of a task are alike: it is *moderated*,
   shrunk towards the cells' common variance, the more the less the cells differ in it (Smyth 2004, *Linear models and
   empirical Bayes methods*, section 3). What the cells have in common is fitted so that a cell unlike the others has
   little say in it and is shrunk less (after Phipson et al. 2016, *Robust hyperparameter estimation*); cells whose
   seeds agree exactly, such as failed ones, have no say in it, nor has a cell of which a seed collapsed.
3. Variances are compared relative to m (1 - m), the variance of a 0/1 score with the cell's mean m: between a cell
   near 0 or 1 and one in the middle, that is what is alike.
4. A draw of the seeds' own variance is (d' s'² / χ²(d')) less what the examples explain, at least 0 (a generalised
   pivotal quantity, Weerahandi 1993).

`benchmarks/statistics_coverage.py` measures in simulated studies how often the intervals cover and the tests reject.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from tunegrid.common.citations import PHIPSON_2016, SMYTH_2004, WEERAHANDI_1993, Formula

_OUTLIERS = 0.1  # share of the cells that are expected to be unlike the others
_RANGE = 14.0  # natural logarithm of the range in which the variance of such a cell may lie: a factor of a million
_PRIOR_DEGREES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1e5])  # tried for d₀; the last: alike in all cells

SEEDS = Formula(
    "Seeds",
    r"\tilde{s}^2 = \dfrac{d_0 s_0^2 + d s^2}{d_0 + d}, \quad "
    r"\sigma^2 \sim \max(0,\, \dfrac{(d_0 + d)\, \tilde{s}^2}{\chi^2_{d_0 + d}} - e)",
    "the moderated variance is the mean of s zero squared and s squared, weighted with their degrees of freedom; sigma "
    "squared is drawn from the moderated variance times its degrees of freedom over chi squared, less e, and at least "
    "zero",
    "Other seeds would have moved the mean over k seeds with variance σ²/k. s² is the variance over a cell's seeds, "
    "with d = k − 1 degrees of freedom; s₀² with d₀ is what the task's cells have in common, fitted so that a cell "
    "unlike the others counts little; e is what the choice of test examples explains of s².",
    (SMYTH_2004, PHIPSON_2016, WEERAHANDI_1993),
)


@dataclass(frozen=True)
class ModeratedVariance:
    """Variances between seeds, shrunk towards the common variance of the cells.

    Attributes:
        variance: [cells] s'².
        degrees: [cells] d', the degrees of freedom of s'².
    """

    variance: np.ndarray
    degrees: np.ndarray


@dataclass(frozen=True)
class SeedVariance:
    """What the choice of the seeds may add to the variance of each cell's mean, as draws.

    Attributes:
        moderated: [cells, resamples] by the cell's seeds and those of the others.
        own: [cells, resamples] by the cell's seeds alone, where there are at least three; else as `moderated`.
        counts: [cells] number of seeds.
        variance: [cells] s'², the moderated variance between seeds; 0 where nothing is known of it.
        degrees: [cells] its degrees of freedom; 0 where nothing is known.
        explained: [cells] e, the part of it that the choice of the test examples explains.
        owners: [cells] number of the cell whose seeds these are: cells with the same owner are forms of the same runs.
    """

    moderated: np.ndarray
    own: np.ndarray
    counts: np.ndarray
    variance: np.ndarray
    degrees: np.ndarray
    explained: np.ndarray
    owners: np.ndarray

    @classmethod
    def unknown(cls, counts: Sequence[int], resamples: int) -> "SeedVariance":
        """That of cells of whose variance nothing is known."""
        draws, zeros = np.zeros((2, len(counts), resamples)), np.zeros((3, len(counts)))
        return cls(*draws, np.array(counts), *zeros, np.arange(len(counts)))

    @property
    def known(self) -> bool:
        """Whether anything is known of the variance between seeds."""
        return bool((self.degrees > 0).any())

    def rows(self, chosen: Sequence[int]) -> "SeedVariance":
        """The same for some of the cells."""
        return SeedVariance(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def spread_to(self, places: Sequence[int], counts: Sequence[int]) -> "SeedVariance":
        """The same among more rows, of which these stand at `places`; the others have no variance.

        `counts`: number of seeds of every row.
        """
        wider = SeedVariance.unknown(counts, self.moderated.shape[1])
        for field in fields(self):
            getattr(wider, field.name)[places] = getattr(self, field.name)
        wider.owners[places] = np.asarray(places, dtype=int)[self.owners]
        return wider

    def with_forms(self, owners: Mapping[int, int]) -> "SeedVariance":
        """The same where some rows are other forms of the runs of other rows, whose seeds are theirs.

        `owners`: number of the row whose runs they are, by that of the form.
        """
        sources = np.arange(len(self.counts))
        for form, owner in owners.items():
            sources[form] = owner
        return self.rows(sources)

    def apart(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether the cells of each pair have seeds of their own, [pairs]; forms of the same runs do not."""
        return self.owners[first] != self.owners[second]


def between_seeds(scores: Sequence[np.ndarray], collapsed: Sequence[bool] = ()) -> ModeratedVariance | None:
    """Moderated variances between the seeds of each cell; None if no cell has two seeds.

    Args:
        scores: scores of each cell on the test set, [seeds], from 0 to 1.
        collapsed: whether a seed of each cell collapsed: its variance is then its own, and says nothing of the others',
            unless there is no other; (): none did.
    """
    seeds = np.array([len(values) for values in scores])
    observed = np.array([values.var(ddof=1) if len(values) > 1 else np.nan for values in scores])
    return moderate_by_mean(observed, np.array([values.mean() for values in scores]), seeds, collapsed)


def moderate_by_mean(
    observed: np.ndarray, means: np.ndarray, seeds: np.ndarray, collapsed: Sequence[bool] = ()
) -> ModeratedVariance | None:
    """Variances between seeds, moderated relative to m (1 - m); None if no cell has two seeds.

    Args:
        observed: [cells] s², the variance over the seeds of each cell; of a cell with one seed it is not used.
        means: [cells] m, from 0 to 1.
        seeds: [cells] number of seeds.
        collapsed: as for `between_seeds`.
    """
    if not (seeds > 1).any():
        return None
    # Not quite at 0 and 1, where the variance of a 0/1 score would vanish.
    means = np.clip(means, 1e-4, 1 - 1e-4)
    scale = means * (1 - means)
    variance, degrees = observed.copy(), (seeds - 1).astype(float)
    alone = (seeds > 1) & (np.asarray(collapsed, dtype=bool) if len(collapsed) else False)
    alike = ~alone if (~alone & (seeds > 1)).any() else np.ones(len(seeds), dtype=bool)
    relative = moderate((observed / scale)[alike], seeds[alike] - 1)
    variance[alike], degrees[alike] = relative.variance * scale[alike], relative.degrees
    return ModeratedVariance(variance, degrees)


def draw_variances(
    scores: Sequence[np.ndarray],
    resampled: Sequence[np.ndarray],
    resamples: int,
    generator: np.random.Generator,
    collapsed: Sequence[bool] = (),
) -> SeedVariance | None:
    """Draws of the variance that the seeds give each mean; None if no cell has two seeds.

    Args:
        scores: scores of each cell on the test set, [seeds], from 0 to 1.
        resampled: scores of each cell on the resamples of the test set, [resamples, seeds].
        collapsed: as for `between_seeds`.
    """
    moderated = between_seeds(scores, collapsed)
    if moderated is None:
        return None
    seeds = np.array([len(values) for values in scores])
    explained = np.array([_explained(values) for values in resampled])
    # The test set adds about the same variance in every cell; one seed alone cannot show it.
    explained = np.where(seeds > 1, explained, np.mean(explained[seeds > 1]))
    draws, own = [], []
    for values, count, variance, degrees, part in zip(
        scores, seeds, moderated.variance, moderated.degrees, explained, strict=True
    ):
        draws.append(draw_added(variance, degrees, part, count, resamples, generator))
        own.append(draws[-1])
        if count > 2:
            own[-1] = draw_added(values.var(ddof=1), count - 1, part, count, resamples, generator)
    return SeedVariance(
        np.array(draws),
        np.array(own),
        seeds,
        moderated.variance,
        moderated.degrees.astype(float),
        explained,
        np.arange(len(seeds)),
    )


def draw_added(
    variance: float, degrees: float, explained: float, count: float, size: int, generator: np.random.Generator
) -> np.ndarray:
    """Draws of what the seeds' own variance adds to that of a mean over `count` of them, [size].

    `variance`: between the seeds, with `degrees` of freedom; `explained`: the part of it that the examples explain.
    """
    return np.maximum(variance * inverse_chi_squared(degrees, size, generator) - explained, 0) / count


def next_run(
    scores: Sequence[np.ndarray], level: float, collapsed: Sequence[bool] = ()
) -> list[tuple[float, float] | None]:
    """Prediction interval of each cell: where one more run of it would score on the same test set.

    With t quantiles of s'² (1 + 1 / k): the new run varies, and so does the mean of the k that are there. None for all
    cells if no cell has two seeds: nothing is known then about the spread of runs. `collapsed` as for `between_seeds`.
    """
    from scipy.stats import t

    moderated = between_seeds(scores, collapsed)
    if moderated is None:
        return [None] * len(scores)
    counts, means = np.array([len(values) for values in scores]), np.array([values.mean() for values in scores])
    half = t.ppf((1 + level) / 2, moderated.degrees) * np.sqrt(moderated.variance * (1 + 1 / counts))
    ends = zip(np.maximum(means - half, 0), np.minimum(means + half, 1), strict=True)
    return [(float(low), float(high)) for low, high in ends]


def inverse_chi_squared(degrees: float, size: int, generator: np.random.Generator) -> np.ndarray:
    """`degrees` / χ²(`degrees`), [size]: its quantiles at equal distances, in random order; 1 without a degree."""
    if degrees <= 0:
        return np.ones(size)
    return generator.permutation(_quantiles(float(degrees), size))


@lru_cache(maxsize=16)
def _quantiles(degrees: float, size: int) -> np.ndarray:
    from scipy.special import gammaincinv

    return degrees / (2 * gammaincinv(degrees / 2, (np.arange(size) + 0.5) / size))


def moderate(variances: np.ndarray, degrees: np.ndarray) -> ModeratedVariance:
    """Moderated variances: s'² = (d₀ s₀² + d s²) / (d₀ + d), with d₀ + d degrees of freedom.

    d₀ is less for a cell that is probably an outlier above the others. The degrees of freedom never exceed those of all
    cells together. A cell with one seed (d = 0) gets s₀². Variances of 0 are shrunk as others are, but tell nothing.
    """
    known = (degrees > 0) & (np.nan_to_num(variances) > 0)
    everything = max(float(degrees.sum()), 1.0)
    if not known.any():
        return ModeratedVariance(np.zeros(len(variances)), np.full(len(variances), everything))
    own = np.nan_to_num(variances)
    if known.sum() == 1:  # one variance is not shrunk, and the other cells get it
        count = degrees[known][0]
        return ModeratedVariance(np.full(len(variances), own[known][0]), np.full(len(variances), float(count)))
    prior, prior_degrees, outlying = _fit(variances[known], degrees[known].astype(float))
    least = min(prior_degrees, float(degrees[known].sum() - degrees[known].min()))
    trust = np.ones(len(variances))
    trust[known] -= np.where(variances[known] > prior, outlying, 0)
    prior_degrees = least * trust
    total = prior_degrees + degrees
    return ModeratedVariance((prior_degrees * prior + degrees * own) / total, total)


def _fit(variances: np.ndarray, degrees: np.ndarray) -> tuple[float, float, np.ndarray]:
    """(s₀², d₀, probability of being an outlier [cells]) of variances that are s₀² F(d, d₀), or of outliers.

    Means over the posterior of s₀² and d₀ on a grid (of d₀ the harmonic one): with nine cells of three seeds their
    likelihood has no sharp peak. Outliers are taken to be evenly spread on the logarithmic scale.
    """
    from scipy.special import betaln

    centre = np.log(np.median(variances)), np.log(np.average(variances, weights=degrees))
    priors = np.exp(np.linspace(min(centre) - 4, max(centre) + 4, 161))[:, None, None]
    prior_degrees = _PRIOR_DEGREES[:, None]
    ratio = degrees * variances / (prior_degrees * priors)  # [priors, degrees, cells]
    alike = (
        degrees / 2 * np.log(ratio)
        - np.log(variances)
        - (degrees + prior_degrees) / 2 * np.log1p(ratio)
        - betaln(degrees / 2, prior_degrees / 2)
    )
    other = np.log(_OUTLIERS / _RANGE) - np.log(variances)
    either = np.logaddexp(np.log1p(-_OUTLIERS) + alike, other)
    likelihood = either.sum(axis=-1)
    weights = np.exp(likelihood - likelihood.max())
    weights[:, -1] *= 2  # that the cells are alike is the likeliest before they are seen
    weights /= weights.sum()
    prior = np.exp((weights.sum(axis=1) * np.log(priors[:, 0, 0])).sum())
    outlying = (weights[..., None] * np.exp(other - either)).sum(axis=(0, 1))
    return float(prior), float(1 / (weights.sum(axis=0) / _PRIOR_DEGREES).sum()), outlying


def _explained(resampled: np.ndarray) -> float:
    """Part of the variance between seeds that the choice of the test examples explains, from [resamples, seeds]."""
    seeds = resampled.shape[1]
    if seeds == 1:
        return 0.0
    deviations = resampled - resampled.mean(axis=1, keepdims=True)
    return float(deviations.var(axis=0).mean() * seeds / (seeds - 1))
