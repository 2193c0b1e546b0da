"""Prediction by the path that the package had at commit 5337878, before it had another engine.

Run by `engines.py --earlier FOLDER` with that version's `src` on the path and the work's folder as the current one.
"""

import json
import sys
import time

from tunegrid import kernels
from tunegrid.cli.command import prepare_to_compute
from tunegrid.study import Study


def main(task: str, name: str) -> None:
    study = Study.load("study.yaml")
    prepare_to_compute(study, model=True)
    from tunegrid.prediction import predict_rows
    from tunegrid.tokenise import load_tokenizer, read_tokens
    from tunegrid.train import pick_device

    from tunegrid.methods import Untuned
    from tunegrid.methods.untuned import UntunedSettings

    base = study.paths.model(name)
    model = kernels.place(Untuned(UntunedSettings(), study.family(name)).load(base, base), pick_device(study)).eval()
    tokens = read_tokens(study.paths.tokens(task, name) / "test.arrow")
    started, cpu = time.time(), time.process_time()
    predicted = predict_rows(model, load_tokenizer(base), study.task(task, name), tokens, len(tokens), precision="fp32")
    print(json.dumps({"started": started, "startup_cpu": cpu, "texts": predicted.texts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
