"""What the training of a method reads beside tokens, rows and the base model, by names that the study resolves.

A method declares its needs (`Method.needs`) and knows nothing of the study: which folder a need is, and whether it is
usable, is for others to say. Before the training starts, `Method.inputs` has the value of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OtherRun:
    """The run of another method: of the same task, model and seed.

    `load(base)` of its value gives the tuned model without the modules of the method that tuned it; `base`: the folder
    of the pretrained model.
    """

    method: str


@dataclass(frozen=True)
class PreferencePairs:
    """Preference pairs, by their name in the study. Its value is {split: rows}, see `tasks.pairs`."""

    name: str


@dataclass(frozen=True)
class TrainedReward:
    """A reward model, by its name in the study. Its value is a function that loads it (`models.reward`)."""

    name: str


Need = Path | OtherRun | PreferencePairs | TrainedReward
Inputs = dict[Need, Any]
