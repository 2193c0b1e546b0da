"""How a batch is divided on a CPU: into groups of rows of similar length, and into parts for its loss.

The gradient is that of the whole batch. Its rows are drawn at random, for a model learns less from batches of one
length (docs/architecture.md, "Speed on a CPU"). In groups they cost little padding all the same, and only one group's
activations are in memory at a time. This module does without torch, for the plan of a study.
"""

from __future__ import annotations

from collections.abc import Sequence

# Tokens x width. A group's tensors should be near the cache; and each further group costs what starts its operations
# and adds up its gradients, as long as so many tokens take.
MOST, OVERHEAD = 2**20, 2**17
# Bytes of a part's logits in fp32. They should be near the cache: twice or half as many are slower.
PART = 2**25


def most_tokens(width: int) -> int:
    """Tokens that a group of several rows may have, padding included."""
    return MOST // width


def tokens_per_part(vocabulary: int) -> int:
    """Target tokens whose loss is computed at once (`head_loss`); at least one."""
    return max(1, PART // (4 * vocabulary))


def groups(sources: Sequence[int], targets: Sequence[int], width: int) -> list[list[int]]:
    """Divides a batch so that tokens, padding included, and overhead are least; returns each group's row indices.

    Args:
        sources: tokens of each row's source.
        targets: tokens of each row's target.
        width: width of the model.
    """
    order = sorted(range(len(sources)), key=lambda row: sources[row] + targets[row])
    most, overhead = most_tokens(width), OVERHEAD // width
    least, starts = [0.0], [0]  # the cost of the first n rows, and where the last group of them starts
    for end in range(1, len(order) + 1):
        best, start_of_best, source, target = float("inf"), end - 1, 0, 0
        for start in range(end - 1, -1, -1):
            source, target = max(source, sources[order[start]]), max(target, targets[order[start]])
            tokens = (end - start) * (source + target)
            if tokens > most and end - start > 1:
                break
            if (cost := least[start] + tokens + overhead) < best:
                best, start_of_best = cost, start
        least.append(best)
        starts.append(start_of_best)
    cut, end = [], len(order)
    while end:
        cut.append(order[starts[end] : end])
        end = starts[end]
    return cut[::-1]
