"""Which of torch's libraries multiplies matrices on a CPU, and which precision a CPU is fast in.

torch hands products of fp32 matrices to MKL. MKL keeps its AVX-512 kernels for Intel's processors; on another one that
has AVX-512, oneDNN's are faster: by a tenth on AMD's Zen 4, twice as fast on Zen 5. torch has no switch between the two
but the one that *allows* bf16 inside of fp32 products (`torch.backends.mkldnn.matmul.fp32_precision`): then oneDNN gets
them, and where the processor has no AMX it computes them in fp32 all the same. So the switch is used where that holds,
and only if a product is exact enough.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tunegrid.runtime import cpu_tricks

Library = Literal["mkl", "onednn"]

CPUINFO = Path("/proc/cpuinfo")

# oneDNN prepares a kernel for each shape, which costs a narrow model more than it gains: at a width of 64 a training
# took between 0.9 times (T5) and 2.4 times (BART, whose attention calls it for each head) as long.
NARROWEST = 256
FP32_ERROR = 1e-5  # largest relative error of a product of 256 x 256: fp32 has 1e-6, with bf16 inside it is 2e-3
BF16_FLAGS = {"amx_bf16", "avx512_bf16"}  # without either, a CPU computes bf16 slower than fp32
# torch keeps a kernel, with buffers, for each of the last 1024 shapes, beside those that oneDNN keeps; in batches of
# all lengths that was 0.9 GB of T5-small's training, and without it nothing was slower.
CACHE_LIMITS = {"LRU_CACHE_CAPACITY": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}

_chosen: Library | None = None


def limit_caches() -> None:
    """Limits the memory of torch's kernels on a CPU; to be called before torch is imported."""
    if not cpu_tricks.are_on():
        return
    for name, value in CACHE_LIMITS.items():
        os.environ.setdefault(name, value)


def place(model: Any, device: Any) -> Any:
    """Moves a model to its device; on a CPU this process then computes with the library that is faster for it."""
    global _chosen
    if device.type == "cpu":
        from torch.backends import mkldnn

        wide = model.get_input_embeddings().embedding_dim >= NARROWEST
        _chosen = "onednn" if cpu_tricks.are_on() and wide and onednn_is_faster() else "mkl"
        mkldnn.matmul.fp32_precision = "bf16" if _chosen == "onednn" else "none"
    return model.to(device)


def chosen() -> Library | None:
    """The library that computes this process's products of fp32 matrices; None: no model was placed on a CPU."""
    return _chosen


@cache
def onednn_is_faster() -> bool:
    """Whether this CPU has AVX-512 that MKL leaves unused, and oneDNN computes in fp32 on it."""
    from torch.backends import mkldnn

    if "GenuineIntel" in _listed("vendor_id") or "avx512f" not in _listed("flags") or not mkldnn.is_available():
        return False
    with onednn():
        return _error() < FP32_ERROR


@contextmanager
def onednn() -> Iterator[None]:
    """A context in which oneDNN computes the products of fp32 matrices."""
    from torch.backends import mkldnn

    before = mkldnn.matmul.fp32_precision
    mkldnn.matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        mkldnn.matmul.fp32_precision = before


def cpu_precision() -> Literal["fp32", "bf16"]:
    """The precision that this machine's CPU is fastest in."""
    return "bf16" if _listed("flags") & BF16_FLAGS else "fp32"


def _error() -> float:
    """The error of a product of random fp32 matrices, relative to the largest value of the exact product."""
    import torch

    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 256, 256, generator=generator)
    exact = left.double() @ right.double()
    return float(((left @ right).double() - exact).abs().max() / exact.abs().max())


def _listed(key: str) -> set[str]:
    return set(cpuinfo(key).split())


def cpuinfo(key: str) -> str:
    """A line of /proc/cpuinfo for the first processor; empty where it has none, as on other systems than Linux."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")
