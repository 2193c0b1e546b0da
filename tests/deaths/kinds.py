"""The kinds of deaths, and their shares."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    name: str
    title: str
    scene: str  # the property of Script that carries it out: single, whole, hub, chains, slurm
    share: float  # weight of this kind among all


KINDS = (
    Kind("kill-training", "kill -9 of a training or its evaluation", "single", 33),
    Kind("sigterm-training", "SIGTERM of a training or its evaluation", "single", 10),
    Kind("disk-full", "disk full while a run writes", "single", 12),
    Kind("damaged-checkpoint", "kill -9, then the newest checkpoint is damaged", "single", 13),
    Kind("killed-download", "kill -9 of a download, then perhaps damage of what came", "hub", 6),
    Kind("damaged-download", "a download is cut off, or brings other bytes", "hub", 7),
    Kind("kill-all", "kill -9 of Snakemake and all its children", "whole", 6),
    Kind("kill-snakemake", "kill -9 of Snakemake alone", "whole", 4),
    Kind("stop-snakemake", "SIGINT or SIGTERM of Snakemake", "whole", 3),
    Kind("kill-job", "kill -9 of a job's process under Snakemake", "whole", 3),
    Kind("two-snakemakes", "two Snakemakes in one folder", "whole", 3),
    Kind("kill-preferences", "kill -9 between preference pairs and the judgements of DPO and PPO", "chains", 20),
    Kind("kill-instruction", "kill -9 between a mixture's tokens and the answers to its wordings", "chains", 10),
)
ON_SLURM = (
    Kind("scancel", "scancel of a job", "slurm", 3),
    Kind("node-loss", "loss of the node, which returns", "slurm", 2),
)


def draw(kinds: list[Kind], count: int, seed: int) -> list[Kind]:
    """Draws `count` kinds in random order: each as often as its share says, the largest remainders rounded up."""
    total = sum(kind.share for kind in kinds)
    exact = {kind: kind.share * count / total for kind in kinds}
    numbers = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(kinds, key=lambda kind: exact[kind] - numbers[kind], reverse=True)
    for kind in by_remainder[: count - sum(numbers.values())]:
        numbers[kind] += 1
    drawn = [kind for kind, number in numbers.items() for _ in range(number)]
    random.Random(f"kinds {seed}").shuffle(drawn)
    return drawn
