"""Models as ONNX graphs, by Hugging Face's exporter. `optimum.onnxruntime` generates with them as transformers does.

An extra (`make setup EXTRAS=onnx`).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TASK = "text2text-generation-with-past"  # encoder, and a decoder that keeps keys and values
MERGED = "decoder_model_merged.onnx"
PARTS = ("decoder_model.onnx", "decoder_with_past_model.onnx")  # what the merged decoder holds, once more


def write_onnx(model: PreTrainedModel, folder: Path) -> None:
    """Writes a plain model, on the CPU and in fp32, as an encoder and a decoder into an empty folder.

    Raises:
        TuneGridError: the exporter does not know the model's architecture.
    """
    from optimum.exporters.onnx import onnx_export_from_model

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, on Python numbers: the shapes that they hold are dynamic
            onnx_export_from_model(model, folder, task=TASK, do_validation=False, device="cpu")
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise TuneGridError(f"this {model.config.model_type} model cannot be written as ONNX ({reason}).") from error
    if (folder / MERGED).is_file():
        for name in PARTS:
            (folder / name).unlink(missing_ok=True)
