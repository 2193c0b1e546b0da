"""An exported model behind TuneGrid's own server, asked by transformers' `pipeline`, one request at a time.

Usage: python pipeline_server.py STUDY TASK MODEL FOLDER, where FOLDER is what `tunegrid export` wrote. What a service
without batching does: the text goes to the pipeline as it comes, and what comes back is the answer.
"""

import sys

from transformers import pipeline

from tunegrid.deploy.serve import serve
from tunegrid.deploy.server import Limits, Served
from tunegrid.study.load import load_study


def main() -> None:
    file, task_name, model, folder = sys.argv[1:]
    study = load_study(file)
    task, family = study.task(task_name, model), study.models[model].family
    import torch

    torch.set_num_threads(study.hardware.threads)
    written = pipeline("text2text-generation", model=folder, device="cpu")
    # The pipeline puts settings of its own, 4 beams and 256 tokens, in the place of those that the folder has.
    own = {"num_beams": task.settings.generation.num_beams}
    own["max_new_tokens"] = written.model.generation_config.max_new_tokens

    def answer(rows: list) -> list[dict[str, str]]:
        texts = [written(task.source_text(row, family), **own)[0]["generated_text"] for row in rows]
        return [{"prediction": text.strip()} for text in texts]

    run = dict.fromkeys(("task", "model", "method", "seed", "engine", "study"), "pipeline")
    serve(Served(task, answer, run, ""), Limits(batch_rows=1), host="127.0.0.1", port=0, token=None)


if __name__ == "__main__":
    main()
