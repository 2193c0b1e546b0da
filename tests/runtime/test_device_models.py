"""Devices of a plan: this machine's CPU, measured, and the GPUs of the data sheets."""

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.device_models import device, measured_cpu


def test_this_cpu_is_measured():
    found = measured_cpu(1, "fp32", seconds=0.05)
    assert 1e8 < found.flops("fp32") < 1e13
    # Where wide models have a library of their own, they are planned with its speed.
    assert (found.wide_fp32 is not None) == cpu_kernels.onednn_is_faster()
    assert found.flops("fp32", 768) == (found.wide_fp32 or found.flops("fp32"))
    assert found.flops("fp32", 64) == found.flops("fp32")
    assert 1e8 < found.bandwidth < 1e12
    assert measured_cpu(1, "fp32", seconds=0.05) is found, "once in a process"


def test_an_unknown_device_is_named_with_the_known_ones():
    with pytest.raises(TuneGridError, match=r"unknown device: 'h10'\. Did you mean h100"):
        device("h10", 1, "fp32")
