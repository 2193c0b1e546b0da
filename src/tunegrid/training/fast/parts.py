"""How many tokens of a batch have their loss computed at once (`head_loss`); without torch, for the plan of a study."""

from __future__ import annotations

# Bytes of a part's logits in fp32. On a CPU they should be near the cache: twice or half as many are slower. A GPU
# needs more tokens at once to be busy (not measured).
CPU_PART, GPU_PART = 2**25, 2**28


def tokens_per_part(vocabulary: int, gpu: bool) -> int:
    """At least one."""
    return max(1, (GPU_PART if gpu else CPU_PART) // (4 * vocabulary))
