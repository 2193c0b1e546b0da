"""A folder of `tunegrid export` that answers: its weights and tokenizer, with a study's task and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import MARKER, kind_of, read_object
from tunegrid.deploy.export import COMMAND
from tunegrid.deploy.predict import Answerer
from tunegrid.deploy.server import Served
from tunegrid.study.engine import compute_type, require_engine
from tunegrid.study.evaluation_settings import Engine
from tunegrid.study.study import Study

if TYPE_CHECKING:
    from tunegrid.models.converted import ComputeType


class Exported(Answerer):
    """The model of an exported folder; nothing of the study's results is read."""

    def __init__(self, study: Study, task: str, model: str, folder: Path, compute: ComputeType | None = None) -> None:
        """Loads the model.

        Args:
            task: of the study, whose prompts and lengths it was exported with.
            model: of the study, of whose family the folder's model is.
            compute: type of CTranslate2's weights; None: the study's precision.

        Raises:
            TuneGridError: the folder is no such export, or what computes it is not there.
        """
        engine = engine_of(folder)
        require_engine(engine)
        if compute and engine == "transformers":
            raise TuneGridError(f"{folder}: holds a model of transformers; --compute-type is CTranslate2's.")
        from tunegrid.data.tokens import load_tokenizer
        from tunegrid.models.converted import Converted
        from tunegrid.models.load import load_model
        from tunegrid.runtime import cpu_kernels
        from tunegrid.runtime.torch_device import pick_device

        device = pick_device(study.hardware)
        if engine == "ctranslate2":
            threads = study.hardware.threads
            loaded = Converted(folder, device=device.type, threads=threads, compute=compute or compute_type(study))
        else:
            loaded = cpu_kernels.place(load_model(folder), device).eval()
        self.weights = folder
        self._take(study.task(task, model), study.models[model].family, load_tokenizer(folder), loaded)
        self.precision = study.hardware.precision


def engine_of(folder: Path) -> Engine:
    """What computes the model of an exported folder. Raises TuneGridError if it is none, or nothing here does."""
    marker = folder / MARKER
    written_by = read_object(marker).get("written_by") if kind_of(marker) == "file" else None
    if written_by != COMMAND:
        raise TuneGridError(f"{folder}: is no folder of `{COMMAND}` (there is no {MARKER} of it).")
    if (folder / "model.bin").is_file():
        return "ctranslate2"
    if any(folder.glob("*.safetensors")) and not (folder / "adapter_config.json").is_file():
        return "transformers"
    raise TuneGridError(
        f"{folder}: holds no model in one piece. Export it with `--as model`, where the method merges, or "
        "`--as ctranslate2`; its README.md has a program that answers with what it holds."
    )


def served(study: Study, task: str, model: str, answerer: Exported) -> Served:
    """The folder's model with its words and its card."""
    engine = {"transformers": "transformers", "ctranslate2": "CTranslate2"}[engine_of(answerer.weights)]
    names = {"task": study.title_of("tasks", task), "model": study.title_of("models", model)}
    run = {
        **names,
        "method": f"exported to {answerer.weights.name}",
        "seed": "–",
        "engine": engine,
        "study": study.name,
    }
    card = (answerer.weights / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2].lstrip()
    return Served(answerer.task, answerer.answer, run, card)
