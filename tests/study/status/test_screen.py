"""The progress display fits the screen that it is given, with as much detail as that has room for."""

import json

import pytest

from tunegrid.study.cells import Run
from tunegrid.study.status.alive import Alive
from tunegrid.study.status.read import read_status
from tunegrid.study.status.screen import format_screen


def write(folder, file, values):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(values))


def screen(study, width=80, height=24, alive=None, note=""):
    def read(path):
        return json.loads(path.read_text())

    status = read_status(study, ["tiny.yaml"], read, alive or Alive())
    return format_screen(status, width, height, (3, 10), ".snakemake/log/x.log", note)


def test_a_cell_shows_the_state_of_each_seed_and_its_mean_score(tiny_study):
    study = tiny_study("seeds: [1, 2, 3, 4]\ngrid: {tasks: [qa], models: [t5], methods: [full, lora]}")
    full, lora = study.cells()
    for seed, score in ((1, 0.5), (2, 0.25)):
        folder = study.paths.run(Run(full, seed))
        write(folder, "train.json", {"status": "ok"})
        write(folder, "metrics.json", {"status": "ok", "primary": "f1", "metrics": {"f1": {"value": score}}})
    write(study.paths.run(Run(full, 3)), "train.json", {"status": "ok"})
    write(study.paths.run(Run(lora, 1)), "train.json", {"status": "failed", "reason": "out of memory"})
    alive = Alive(commands={("train", "qa", "t5", "lora", "2"): 0.0})
    lines = screen(study, alive=alive, note="Stopping")
    assert "qa  t5   ●●T· 0.375   xt··" in lines
    assert "3 of 10 jobs   2 of 8 runs   1 failed" in lines[1]
    assert "x    qa_t5_lora, seed 1: failed: out of memory" in lines
    assert any(line.startswith("now  training  qa_t5_lora, seed 2") for line in lines)
    assert lines[-2:] == ["log  .snakemake/log/x.log", "Stopping"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 15), (200, 60)])
@pytest.mark.parametrize("methods", [2, 30])
def test_it_fits_whatever_the_study(tiny_study, methods, width, height):
    names = [f"lora-{r}" for r in range(1, methods + 1)]
    lines = "\n".join(f"  {name}: {{kind: lora, r: {name[5:]}, alpha: 8}}" for name in names)
    study = tiny_study(f"seeds: [1, 2, 3]\ngrid: {{methods: [{', '.join(names)}]}}\nmethods:\n{lines}")
    for run in study.runs():
        write(study.paths.run(run), "train.json", {"status": "failed", "reason": "a reason\n" * 40})
    printed = screen(study, width, height)
    assert len(printed) < height
    assert max(map(len, printed)) <= width
    assert any("failed" in line for line in printed)
    assert any("xxx" in line for line in printed) == (methods == 2 and height > 15)
