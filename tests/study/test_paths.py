"""Paths of a study: of cells and runs, of their wildcards in the workflow, and of variants of a run's weights."""

from pathlib import Path

from tunegrid.study.cells import Cell, Run
from tunegrid.study.paths import Paths

CELL = Cell("qa", "t5", "lora")
PATHS = Paths("mini")
RUNS = Path("results/mini/runs/qa/t5/lora")


def test_a_cell_and_a_run_are_folders_below_their_kind():
    assert PATHS.run(Run(CELL, 1)) == RUNS / "seed-1"
    assert PATHS.search(CELL) == Path("results/mini/search/qa/t5/lora")
    assert PATHS.trial(CELL, "0.3") == Path("results/mini/search/qa/t5/lora/factor-0.3.json")
    assert PATHS.choice(CELL) == Path("results/mini/search/qa/t5/lora/choice.json")
    assert PATHS.checkpoints(Run(CELL, 1), "abc" * 40) == Path(
        "results/mini/checkpoints/qa/t5/lora/seed-1-abcabcabcabcabca"
    )
    assert PATHS.log(f"train/{Run(CELL, 1).path}") == Path("results/mini/logs/train/qa/t5/lora/seed-1.log")


def test_wildcards_of_snakemake_take_the_places_of_names():
    cell = Cell("{task}", "{model}", "{method}")
    assert PATHS.run(Run(cell, "{seed}")) == Path("results/mini/runs/{task}/{model}/{method}/seed-{seed}")
    assert PATHS.trial(cell, "{factor}") == Path("results/mini/search/{task}/{model}/{method}/factor-{factor}.json")
    assert str(PATHS.run(Run(cell, "{seed}"))).format(**vars(CELL), seed=1) == str(PATHS.run(Run(CELL, 1)))


def test_a_variant_of_a_run_lies_within_it_and_full_precision_is_the_run_itself():
    assert Run(CELL, 1) == Run(CELL, 1, None)
    variant = Run(CELL, 1, "int8")
    assert PATHS.run(variant) == RUNS / "seed-1/variants/int8"
    assert PATHS.log(f"evaluate/{variant.path}") == Path(
        "results/mini/logs/evaluate/qa/t5/lora/seed-1/variants/int8.log"
    )
    assert PATHS.benchmark(f"evaluate/{variant.path}") == Path(
        "results/mini/benchmarks/evaluate/qa/t5/lora/seed-1/variants/int8.tsv"
    )
    runs = [Run(CELL, 1), variant, Run(CELL, 1, "int4"), Run(CELL, 2, "int8")]
    assert len({PATHS.run(run) for run in runs}) == len(set(runs)) == 4
