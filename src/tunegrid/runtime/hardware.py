"""Settings of the hardware that a study's jobs compute on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from tunegrid.common.fields import Closed
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.device_models import GPUS


class Hardware(Closed):
    """The hardware of the jobs. Threads and precision alter the bits of a result, so they belong to the study."""

    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="`cuda`: one GPU per job; a study that finds none ends before its first job."
    )
    threads: int = Field(1, gt=0, le=1_024, description="CPU threads of each job that computes with a model.")
    precision: Literal["fp32", "bf16", "auto"] = Field(
        "fp32",
        description="bf16: autocast over fp32 weights. auto: bf16 where the device has instructions for it.",
    )
    cpu_tricks: bool = Field(
        True,
        description="Our own faster kernels, dropout, batches and imports; false: all as the libraries do it.",
    )

    @model_serializer(mode="wrap")
    def _without_the_default(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the default of `cpu_tricks` out: settings, and so digests, are those of studies without the key."""
        values = serialise(self)
        return {key: value for key, value in values.items() if key != "cpu_tricks" or value is not True}

    def resolved(self, gpu: str) -> Hardware:
        """The settings without `auto`: by the data sheet of the study's GPU (`resources.gpu`), or by this CPU."""
        if self.precision != "auto":
            return self
        on_gpu = "bf16" if "bf16" in GPUS[gpu].peak else "fp32"
        return self.model_copy(update={"precision": on_gpu if self.device == "cuda" else cpu_kernels.cpu_precision()})
