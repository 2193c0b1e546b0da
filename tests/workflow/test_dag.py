"""What a dry run plans, and which message a wrong configuration gives before anything runs."""

import re
import shutil
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.support import slow_except
from tests.support.running import MINI, PRETRAINING, ROOT, Workflow

TASKS, MODELS, METHODS = ("translation", "qa", "sentiment"), ("t5", "bart", "flan-t5"), ("full", "lora", "adapters")


def overlay(folder: Path, values: dict) -> Path:
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_dry_run_of_27_cells_and_3_seeds_lists_exactly_its_jobs(tmp_path):
    jobs = Workflow(tmp_path, MINI).planned()
    training = {f"train_{'_'.join(cell)}": 3 for cell in product(TASKS, MODELS, METHODS)}
    stages = {"fetch_data": 3, "fetch_model": 3, "tokenise": 9, "evaluate": 81, "evaluate_untuned": 9}
    assert jobs == training | stages | {"evaluate_baseline": 4, "tables": 1, "report": 1, "all": 1}


@pytest.mark.slow
def test_a_path_of_odd_characters_is_an_input_and_one_with_braces_ends_with_a_message(tmp_path):
    names = ["train [1] #2 ü $HOME %41 ' \" \\.csv", "te{st.csv"]
    for name in [*names, "{train}.csv"]:
        (tmp_path / name).write_text("text,label\nA film,positive\n")

    def study(train: str, test: str) -> Workflow:
        values = {
            "grid": {"tasks": ["sentiment"], "models": ["t5"], "methods": ["full"]},
            "tasks": {"sentiment": {"source": {"kind": "files", "paths": {"train": train, "test": test}}}},
        }
        return Workflow(tmp_path, MINI, overlay(tmp_path, values))

    assert study(*names).planned()["fetch_data"] == 1
    refused = study("{train}.csv", names[0]).snakemake("--dry-run")
    assert refused.returncode == 1
    assert "tasks.sentiment.source: {train}.csv: Snakemake takes braces in a path for a wildcard" in refused.stdout
    assert "Traceback" not in refused.stdout


@pytest.mark.slow
def test_the_paper_study_is_the_papers_grid_with_three_seeds(tmp_path):
    jobs = Workflow(tmp_path, ROOT / "config" / "paper.yaml").planned()
    models = ("t5-base", "bart-base", "flan-t5-small")
    training = {f"train_{'_'.join(cell)}": 3 for cell in product(TASKS, models, METHODS)}
    assert {rule: count for rule, count in jobs.items() if rule.startswith("train_")} == training
    fetched = {"fetch_data": 3, "fetch_model": 3, "tokenise": 9}
    assert fetched.items() <= jobs.items()
    assert {"evaluate": 81, "evaluate_untuned": 9, "search_trial": 81}.items() <= jobs.items()
    assert "pretrain_model" not in jobs


@pytest.mark.slow
def test_without_a_configuration_the_mini_study_is_planned(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    jobs = Workflow(tmp_path).planned()
    assert sum(count for rule, count in jobs.items() if rule.startswith("train_")) == 81


def test_the_target_of_a_cell_runs_all_its_seeds_and_no_other_cell(tmp_path):
    jobs = Workflow(tmp_path, MINI, overlay(tmp_path, {"seeds": [1, 2]})).planned("cell_qa_t5_lora")
    assert {rule: count for rule, count in jobs.items() if rule.startswith("train_")} == {"train_qa_t5_lora": 2}
    assert jobs["evaluate"] == 2


@pytest.mark.slow
def test_a_search_adds_its_trials_and_choices_before_the_training_and_nothing_else(tmp_path):
    workflow = Workflow(tmp_path, MINI, overlay(tmp_path, {"seeds": [1, 2, 3]}))
    without = workflow.planned()
    assert not {"search_trial", "choose_learning_rate"} & without.keys()
    (tmp_path / "search.yaml").write_text("search: {factors: [0.33, 1.0, 3.0]}")
    searched = Workflow(tmp_path, *workflow.configs, tmp_path / "search.yaml")
    jobs = searched.planned()
    assert jobs == without | {"search_trial": 81, "choose_learning_rate": 27}
    # Of one cell its own three trials: once, not once per seed.
    jobs = searched.planned("cell_qa_t5_lora")
    assert (jobs["search_trial"], jobs["choose_learning_rate"], jobs["train_qa_t5_lora"]) == (3, 1, 3)


@pytest.mark.parametrize(("device", "gpus"), slow_except(("cuda", 1), [("cpu", 0), ("cuda", 1)]))
def test_jobs_ask_for_a_gpu_only_where_the_study_has_one(tmp_path, device, gpus):
    values = {"hardware": {"device": device}, "search": {"factors": [1.0, 3.0]}}
    workflow = Workflow(tmp_path, PRETRAINING, overlay(tmp_path, values))
    lines = workflow.snakemake("--dry-run", "-p", "cell_qa_t5_lora").stdout.splitlines()
    resources, rule = {}, None
    for line in lines:
        if line.startswith(("rule ", "localrule ")):
            rule = line.split()[1].rstrip(":")
        elif line.strip().startswith("resources:"):
            resources[rule] = line
    for name in ("pretrain_model", "search_trial", "train_qa_t5_lora", "evaluate"):
        assert f"gpu={gpus}" in resources[name]
    for name in ("fetch_data", "tokenise", "choose_learning_rate"):
        assert "gpu=" not in resources[name]


def parse_resources(text: str) -> dict[str, dict[str, int]]:
    """Reads the numeric resources of each rule from a dry run: those of its last job."""
    found, rule = {}, None
    for line in text.splitlines():
        if line.startswith(("rule ", "localrule ")):
            rule = line.split()[1].rstrip(":")
        elif line.strip().startswith("resources:"):
            found[rule] = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)(?=,|$)", line)}
    return found


def test_every_computing_job_asks_for_time_memory_and_disk(tmp_path):
    result = Workflow(tmp_path, PRETRAINING).snakemake("--dry-run", "-p")
    found = parse_resources(result.stdout)
    computing = ["pretrain_model", "tokenise", "evaluate", "evaluate_untuned", "evaluate_baseline"]
    training = [rule for rule in found if rule.startswith("train_")]
    assert len(training) == 27
    for rule in computing + training:
        assert found[rule]["runtime"] >= 10
        assert found[rule]["mem_mb"] >= 2000
        assert found[rule]["disk_mb"] >= 1000


@pytest.mark.slow
def test_a_larger_run_asks_for_more_and_a_machine_without_limits_runs_it_all_the_same(tmp_path):
    larger = overlay(tmp_path, {"training": {"max_steps": 200_000}, "resources": {"memory_factor": 1000.0}})
    result = Workflow(tmp_path, MINI, larger).snakemake("--dry-run", "-p", "cell_qa_t5_full")
    assert result.returncode == 0, result.stdout  # a terabyte of memory: Snakemake does not hold a workstation to it
    found = parse_resources(result.stdout)
    assert found["train_qa_t5_full"]["runtime"] > 60
    assert found["train_qa_t5_full"]["mem_mb"] > 500_000


@pytest.mark.slow
def test_a_study_that_does_not_fit_on_the_disk_ends_before_any_job(tmp_path):
    enormous = overlay(tmp_path, {"models": {"t5": {"source": {"d_model": 8192, "layers": 100}}}})
    result = Workflow(tmp_path, PRETRAINING, enormous).snakemake()
    assert result.returncode != 0
    assert "not enough disk for the study pretrain-mini" in result.stdout
    assert "tunegrid clean" in result.stdout
    assert "Traceback" not in result.stdout
    assert not list(tmp_path.glob("results/**/*.parquet"))
    assert not list(tmp_path.glob(".snakemake/locks/*"))
    dry = Workflow(tmp_path, PRETRAINING, enormous).snakemake("--dry-run", "-p")
    assert dry.returncode == 0


@pytest.mark.slow
def test_every_job_has_a_log_and_a_benchmark(tmp_path):
    search = overlay(tmp_path, {"search": {"factors": [1.0, 3.0]}})
    text = Workflow(tmp_path, MINI, search).snakemake("--dry-run", "-p").stdout
    jobs = re.split(r"^(?:local)?rule ", text, flags=re.MULTILINE)[1:]
    without = [job for job in jobs if "    log: " not in job or "    benchmark: " not in job]
    assert len(jobs) > 80
    assert [job.split(":")[0] for job in without] == ["all"]


WRONG = [
    ({"training": {"learning_rte": 1.0}}, "training.learning_rte: unknown key. Did you mean learning_rate?"),
    ({"grid": {"models": ["t5", "brat"]}}, "grid.models[1]: unknown: 'brat'. Did you mean bart?"),
    ({"methods": {"lora": {"kind": "bitfit", "r": None}}}, "methods.lora.r: unknown key"),
    ({"study": "../elsewhere"}, "study: not a valid name: '../elsewhere'"),
    ({"study": "\\input{x}"}, "study: not a valid name"),
]


@pytest.mark.parametrize(("values", "message"), slow_except(WRONG[1], WRONG))
def test_a_wrong_configuration_fails_before_any_job(tmp_path, values, message):
    result = Workflow(tmp_path, MINI, overlay(tmp_path, values)).snakemake()
    assert result.returncode != 0
    assert message in result.stdout
    assert "overlay.yaml, line" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (tmp_path / "results").exists()


def test_settings_on_the_command_line_are_refused(tmp_path):
    result = Workflow(tmp_path, MINI).snakemake("--dry-run", "--config", "title=other")
    assert result.returncode != 0
    assert "changed in its file, not with --config" in result.stdout


def test_a_dry_run_is_a_plan_on_one_screen_with_the_reasons_and_the_time(tmp_path):
    workflow = Workflow(tmp_path, MINI, overlay(tmp_path, {"seeds": [1, 2, 3]}))
    result = workflow.snakemake("--dry-run")
    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stdout
    assert len(lines) < 20
    assert lines[0].endswith("192 jobs would run. Results: results/mini/")  # all but the target itself
    counts = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith("  ")}
    expected = {"data": 3, "models": 3, "tokens": 9, "training": 81, "evaluation": 81, "untuned": 9, "baselines": 4}
    assert counts == expected | {"report": 2}
    assert any(line.endswith("missing; 27 of 27 cells") for line in lines)
    assert any(re.match(r"About \S+ (s|min|h) with \d+ at once, by the plan", line) for line in lines)
    one_cell = workflow.snakemake("--dry-run", "cell_qa_t5_lora").stdout
    assert "1 of 27 cells" in one_cell


@pytest.mark.parametrize("option", slow_except("-p", ["-p", "--verbose"]))
def test_an_option_for_snakemakes_output_brings_it_back(tmp_path, option):
    printed = Workflow(tmp_path, MINI).snakemake("--dry-run", option, "cell_qa_t5_lora").stdout
    assert "rule train_qa_t5_lora:" in printed
    if option == "-p":
        assert "tunegrid train " in printed
    assert "jobs would run" not in printed


def test_a_cell_that_learns_from_preferences_asks_for_its_start_its_pairs_and_its_reward_model(tmp_path):
    values = {
        "seeds": [1, 2],
        "grid": {"tasks": ["translation"], "models": ["t5"], "methods": ["full", "dpo", "ppo"]},
        "preferences": {"worse": {"source": {"kind": "corrupted"}}, "unused": {"source": {"kind": "corrupted"}}},
        "rewards": {"judge": {"pairs": "worse", "training": {"learning_rate": 1.0e-3, "epochs": 1.0}}},
        "methods": {
            "dpo": {"kind": "dpo", "sft": "full", "pairs": "worse"},
            "ppo": {"kind": "ppo", "sft": "full", "reward": "judge"},
        },
    }
    workflow = Workflow(tmp_path, MINI, overlay(tmp_path, values))
    before = {"fetch_data": 1, "fetch_model": 1, "tokenise": 1, "fetch_pairs": 1, "train_translation_t5_full": 2}
    cells = {f"cell_translation_t5_{name}": 1 for name in ("dpo", "ppo")}
    assert workflow.planned("cell_translation_t5_dpo") == before | {
        "train_translation_t5_dpo": 2, "evaluate": 2, "cell_translation_t5_dpo": 1
    }  # fmt: skip
    jobs = workflow.planned()
    assert before.items() <= jobs.items()
    assert {"train_reward": 1, "judge": 2, "evaluate": 6}.items() <= jobs.items(), "of the cells with a reward model"
    assert not cells.keys() & jobs.keys()
    values["preferences"]["worse"]["source"] = {"kind": "sampled", "from": "full"}
    sampled = Workflow(tmp_path, MINI, overlay(tmp_path, values)).planned("cell_translation_t5_dpo")
    assert "fetch_pairs" not in sampled
    assert (sampled["sample_pairs"], sampled["train_translation_t5_full"]) == (1, 2)
