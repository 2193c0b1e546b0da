"""Settings of a study about the resources of its jobs. None of them alters a result."""

from typing import Literal

from pydantic import Field

from tunegrid.common.fields import Closed
from tunegrid.runtime.device_models import GPUS


class Resources(Closed):
    """What jobs ask a cluster for, by the plan's estimates, and how often they may."""

    gpu: Literal[tuple(GPUS)] = Field(
        "a100", description="The GPU that estimates are made for, where hardware.device is cuda."
    )
    runtime_factor: float = Field(3.0, ge=1, le=1_000, description="A job may run this many times the estimate.")
    memory_factor: float = Field(1.5, ge=1, le=1_000, description="A job may use this many times the estimate.")
    attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="How often a training that dies is tried, with more memory each time, until it has failed.",
    )
