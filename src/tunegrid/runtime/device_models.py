"""Devices that a study can be planned for: their data sheets, and the share of their peak that small models reach."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.provenance import processor

Precision = Literal["fp32", "bf16"]

# Share of the peak that the matrix multiplications of a training step reach. Encoder-decoders of 60 to 250 million
# parameters often end at 8 to 15 % on a large GPU; 35 % is what well-tuned training of larger models reaches.
LOW, TYPICAL, HIGH = 0.08, 0.12, 0.35
# A pass over a layer costs the host this long, however small the batch: hundreds of kernels are launched one by one.
# Seconds per layer, measured with batches of a few tokens (docs/planning.md): forward and backward, and forward alone
# while decoding; and per module that a method injects.
STEP_SECONDS_PER_LAYER, DECODE_SECONDS_PER_LAYER, STEP_SECONDS_PER_MODULE = 3.0e-3, 1.0e-3, 0.25e-3
# Bytes that AdamW and the clipping move per trainable parameter and step: each of weight, gradient and two moments is
# read and written a few times.
OPTIMISER_BYTES = 96


@dataclass(frozen=True)
class Device:
    """Numbers of a device that a plan needs.

    Attributes:
        peak: dense FLOP/s of matrix multiplications by precision; a precision that is missing is computed in fp32.
        memory: bytes of its memory; None: the machine's own.
        bandwidth: bytes per second of its memory.
        low, typical, high: share of the peak that training reaches; predictions, with few rows at a time, reach `low`.
        traffic: how many times a pass moves its saved activations through memory; 0 where the share of the peak
            includes that already.
        start: seconds in which a job starts: imports, the model from disk, the first CUDA call.
        note: what to know about the numbers.
        wide_fp32: FLOP/s in fp32 of wide models, where a CPU computes theirs with another library (kernels.py).
    """

    name: str
    title: str
    peak: dict[str, float]
    memory: float | None
    bandwidth: float
    low: float = LOW
    typical: float = TYPICAL
    high: float = HIGH
    traffic: float = 0.0
    start: float = 45.0
    note: str = ""
    wide_fp32: float | None = None

    def flops(self, precision: str, width: int = 0) -> float:
        """Peak FLOP/s of matrix multiplications in a precision, of a model of this width."""
        if precision == "fp32" and self.wide_fp32 and width >= cpu_kernels.NARROWEST:
            return self.wide_fp32
        return self.peak.get(precision, self.peak["fp32"])

    @property
    def is_gpu(self) -> bool:
        return self.name != "cpu"


def _gpu(name: str, title: str, fp32: float, bf16: float | None, memory: float, bandwidth: float) -> Device:
    """A GPU from its data sheet: FLOP/s in units of 1e12, memory in 1e9 bytes, bandwidth in 1e12 bytes per second."""
    peak = {"fp32": fp32 * 1e12} | ({"bf16": bf16 * 1e12} if bf16 else {})
    note = "" if bf16 else "it has no bf16, and T5 overflows in fp16: its fp32 peak is used, plan with precision: fp32"
    return Device(name, title, peak, memory * 1e9, bandwidth * 1e12, note=note)


# From the vendors' data sheets: dense, without sparsity. fp32 is that of the plain units: torch leaves TF32 off for
# matrix multiplications unless it is asked for, and TuneGrid does not ask.
GPUS: dict[str, Device] = {
    gpu.name: gpu
    for gpu in (
        _gpu("h200", "NVIDIA H200 SXM", 67, 989, 141, 4.8),
        _gpu("h100", "NVIDIA H100 SXM", 67, 989, 80, 3.35),
        _gpu("a100", "NVIDIA A100 SXM 80 GB", 19.5, 312, 80, 2.04),
        _gpu("a100-40gb", "NVIDIA A100 SXM 40 GB", 19.5, 312, 40, 1.56),
        _gpu("l4", "NVIDIA L4", 30.3, 121, 24, 0.3),
        _gpu("v100", "NVIDIA V100 SXM 32 GB", 15.7, None, 32, 0.9),
        _gpu("t4", "NVIDIA T4", 8.1, None, 16, 0.32),
    )
}
DEVICES = (*GPUS, "cpu")


def device(name: str, threads: int, precision: Precision) -> Device:
    """A device by name; `cpu` is measured, on this machine.

    Raises:
        TuneGridError: no such device is known.
    """
    if name == "cpu":
        return measured_cpu(threads, precision)
    if name not in GPUS:
        raise TuneGridError(f"unknown device: {name!r}. {did_you_mean(name, DEVICES)}")
    return GPUS[name]


# A CPU is far less idle than a GPU: shares of what its own matrix multiplications reach, measured (docs/planning.md).
CPU_LOW, CPU_TYPICAL, CPU_HIGH = 0.5, 0.75, 1.0
# There everything besides multiplications counts too: saved activations are written and read about this many times.
CPU_TRAFFIC = 12.0
CPU_START = 4.0


@cache
def measured_cpu(threads: int, precision: Precision, seconds: float = 0.5) -> Device:
    """This machine's CPU: the speed of a multiplication of matrices as wide as a small model, and of a copy.

    In seconds of CPU time, so that other programs on the machine do not make it look slow; once in a process.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        left, right = torch.randn(512, 768).to(dtype), torch.randn(768, 768).to(dtype)
        source = torch.randn(4_000_000)
        target = torch.empty_like(source)
        work = 2 * 512 * 768 * 768 * threads
        multiplications = _rate(lambda: torch.mm(left, right), seconds)
        wide = None
        if precision == "fp32" and cpu_kernels.onednn_is_faster():
            with cpu_kernels.onednn():
                wide = _rate(lambda: torch.mm(left, right), seconds) * work
        copies = _rate(lambda: target.copy_(source), seconds / 2) * threads
    finally:
        torch.set_num_threads(before)
    title = f"this CPU ({processor()}), {threads} thread(s)"
    return _cpu(title, multiplications * work, copies * 2 * 4 * 4_000_000, precision, wide)


def assumed_cpu(threads: int, precision: Precision) -> Device:
    """A slow CPU core of today, where nothing may be measured: for the resources of a workflow's rules."""
    return _cpu(f"a CPU, {threads} thread(s)", 15e9 * threads, 3e9, precision)


def _cpu(title: str, peak: float, bandwidth: float, precision: Precision, wide_fp32: float | None = None) -> Device:
    peaks = {"fp32": peak, precision: peak}
    shares = CPU_LOW, CPU_TYPICAL, CPU_HIGH, CPU_TRAFFIC, CPU_START
    return Device("cpu", title, peaks, None, bandwidth, *shares, wide_fp32=wide_fp32)


def _rate(work: Callable[[], object], seconds: float) -> float:
    """Calls of `work` per second of CPU time."""
    work()
    start, count = time.process_time(), 0
    while (spent := time.process_time() - start) < seconds:
        work()
        count += 1
    return count / spent
