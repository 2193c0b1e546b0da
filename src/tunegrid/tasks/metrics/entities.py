"""Precision, recall and F1 of entities (Tjong Kim Sang and De Meulder 2003), as seqeval's strict mode counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import TJONG_2003, Formula
from tunegrid.tasks.entities import BETWEEN, read_mentions
from tunegrid.tasks.metrics.base import MeanMetric, Metric, References, ratio

if TYPE_CHECKING:
    import numpy as np

FORMULA = Formula(
    "Precision, recall and F1 of entities",
    r"P = \dfrac{t}{p}, \quad R = \dfrac{t}{g}, \quad \mathrm{F1} = \dfrac{2 t}{p + g}",
    "P is t over p, R is t over g, F1 is two t over p plus g",
    "Of g entities in the test rows and p in the predictions, t are right: whole, and of the right type. All are sums "
    "over the rows and types.",
    (TJONG_2003,),
)


@dataclass(frozen=True)
class EntityCounts(Metric):
    """A score from the numbers of right, predicted and expected entities; malformed parts of answers are counted apart.

    Attributes:
        types: the words of the types that there are; none: any.
        separator: what stands between entities.
    """

    types: tuple[str, ...] = ()
    separator: str = BETWEEN
    columns = ("entities_right", "entities_predicted", "entities_expected", "entities_malformed")
    formula = FORMULA

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[int]]:
        rows = []
        for prediction, texts in zip(predictions, references, strict=True):
            predicted, malformed = read_mentions(prediction, self.types, self.separator)
            expected, _ = read_mentions(texts[0], self.types, self.separator)
            right = (Counter(predicted) & Counter(expected)).total()
            rows.append((right, len(predicted), len(expected), malformed))
        return {name: [row[number] for row in rows] for number, name in enumerate(self.columns)}

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray:
        return super().statistics(table)[:, :3]

    def undefined(self, table: Mapping[str, Any]) -> str | None:
        _, predicted, expected = self.statistics(table).sum(axis=0)
        return self.why_undefined(predicted=predicted > 0, expected=expected > 0)

    def why_undefined(self, predicted: bool, expected: bool) -> str | None:
        """Returns why the score is 0 / 0, if it is."""
        return None if predicted or expected else "no prediction and no test row has an entity"


class EntityF1(EntityCounts):
    """Micro-averaged F1 of entities."""

    name, title, label = "entity_f1", "Entity F1", "entity F1"
    description = "Micro-averaged F1 of whole entities with their types, from 0 to 1."

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


class EntityPrecision(EntityCounts):
    """Micro-averaged precision of entities."""

    name, title, label = "entity_precision", "Entity Precision", "entity precision"
    description = "Share of the predicted entities that are right, from 0 to 1; 0 where none is predicted."

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 1])

    def why_undefined(self, predicted: bool, expected: bool) -> str | None:
        return None if predicted else "no prediction has an entity"


class EntityRecall(EntityCounts):
    """Micro-averaged recall of entities."""

    name, title, label = "entity_recall", "Entity Recall", "entity recall"
    description = "Share of the expected entities that are predicted, from 0 to 1; 0 where there is none."

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        return ratio(sums[..., 0], sums[..., 2])

    def why_undefined(self, predicted: bool, expected: bool) -> str | None:
        return None if expected else "no test row has an entity"


@dataclass(frozen=True)
class EntitiesExact(MeanMetric):
    """The share of rows whose entities are all right, and none too many."""

    types: tuple[str, ...] = ()
    separator: str = BETWEEN
    name, title, label = "entities_exact", "All Entities Right", "share of rows with all entities right"
    printed = False
    columns = ("entities_exact",)
    description = "Share of rows whose entities are all right, and none too many, from 0 to 1."

    def value(self, prediction: str, references: Sequence[str]) -> int:
        texts = (prediction, references[0])
        (found, malformed), (expected, wrong) = (read_mentions(text, self.types, self.separator) for text in texts)
        return int(sorted(found) == sorted(expected) and malformed == wrong)
