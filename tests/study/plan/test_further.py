"""The plan of what is asked beside the test rows: other domains, bias probes, forgetting."""

import json
from pathlib import Path

import pytest

from tests.support import ROOT
from tunegrid.runtime.device_models import assumed_cpu
from tunegrid.study.cells import Cell
from tunegrid.study.load import load_study
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.plan.further import domain_rows, domains_work, forgetting_work, probes_work
from tunegrid.study.plan.jobs import Jobs
from tunegrid.study.plan.plan import plan
from tunegrid.study.plan.text import plan_text
from tunegrid.study.status.items import items

CPU = assumed_cpu(1, "fp32")
MINI = ROOT / "config/mini.yaml"
KINDS = {"other domains": "domains", "bias probes": "probes", "forgetting": "forgetting"}


def further(*overlays: str):
    return load_study(MINI, *(ROOT / "config/overlays" / f"{name}.yaml" for name in overlays))


def without_baselines(study, stage: str) -> list:
    return [item for item in items(study) if item.stage == stage and (item.model or item.cell)]


def test_the_jobs_of_the_plan_are_those_of_the_workflow():
    study = further("mini-domains", "mini-probes", "mini-forgetting")
    found, plain = plan(study, CPU), plan(load_study(MINI), CPU)
    for name, stage in KINDS.items():
        assert name not in plain.sums
        assert found.sums[name].jobs == len(without_baselines(study, stage)) > 0
        assert found.sums[name].seconds > 0
    assert found.total.jobs == plain.total.jobs + sum(found.sums[name].jobs for name in KINDS)
    assert found.disk.needs["predictions"] > plain.disk.needs["predictions"]
    assert all(f"  {name}" in plan_text(found) for name in KINDS)


def test_seconds_follow_the_rows_that_are_asked(tiny_study):
    def of(changes: str, work, *names: str) -> float:
        return work(Estimator(tiny_study(changes), CPU), *names)[0]

    def domains(rows: str) -> str:
        return (
            f"tasks: {{sentiment: {{evaluate_on: {{far: {{kind: generated, domain: away, rows: {{test: {rows}}}}}}}}}}}"
        )

    cell = ("sentiment", "t5", "lora")
    assert of(domains("6400"), domains_work, *cell) == pytest.approx(
        10 * of(domains("640"), domains_work, *cell), rel=0.01
    )
    names = "probes: {names: {task: sentiment, set: mini-reviews-names}}"
    both = f"{names[:-1]}, more: {{task: sentiment, set: sentiment-names}}}}\ntasks: {{sentiment: {{max_source_length: 128}}}}"
    assert of(both, probes_work, *cell) > of(names, probes_work, *cell) > 0
    Path("held-out.txt").write_text("\n\n".join(f"{number} " * 100 for number in range(30)))
    text = "forgetting: {text: held-out.txt, documents: %s, max_length: %s}"
    few, many, long = (text % values for values in ((80, 64), (800, 64), (80, 20)))
    assert of(many, forgetting_work, *cell) == pytest.approx(10 * of(few, forgetting_work, *cell), rel=0.01)
    assert of(long, forgetting_work, *cell) < of(few, forgetting_work, *cell)
    # What a method adds is computed too; an untuned model has no method.
    assert of(few, forgetting_work, *cell) > of(few, forgetting_work, *cell[:2])


def test_rows_of_domains_are_those_of_their_sources(tiny_study):
    Path("far.jsonl").write_text('{"text": "a", "label": 0}\n' * 12)
    sources = """
tasks:
  sentiment:
    evaluate_on:
      all: {kind: files, paths: {test: far.jsonl}}
      part: {kind: files, paths: {test: far.jsonl}, rows: {test: 5}}
      known: {kind: hub, path: stanfordnlp/imdb}
      unknown: {kind: hub, path: somebody/else, splits: {test: held_out}}
      made: {kind: generated, domain: away, rows: {test: 7}}
"""
    rows = {"all": 12, "part": 5, "known": 25_000, "unknown": 100_000, "made": 7}
    assert domain_rows(Estimator(tiny_study(sources), CPU), "sentiment") == rows


def test_domains_are_longer_than_the_own_rows_as_they_have_more_words(tiny_study):
    lines = [json.loads(line) for line in Path("rows/qa-test.jsonl").read_text().splitlines()]
    for times in (1, 2, 40):
        longer = [row | {"context": " ".join([row["context"]] * times)} for row in lines]
        Path(f"far-{times}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in longer))
    domains = ", ".join(f"x{times}: {{kind: files, paths: {{test: far-{times}.jsonl}}}}" for times in (1, 2, 40))
    study = tiny_study(f"tasks: {{qa: {{max_source_length: 400, long_contexts: windows, evaluate_on: {{{domains}}}}}}}")
    sizes = Estimator(study, CPU).sizes
    own = sizes.of("qa", "t5").splits["test"]
    once, twice, long = (sizes.domain("qa", f"x{times}", "t5") for times in (1, 2, 40))
    assert once.source.mean == pytest.approx(own.source.mean, rel=0.2)
    assert twice.source.mean > 1.4 * once.source.mean
    assert (once.entries, twice.entries) == (once.rows, twice.rows)
    assert long.entries > 1.5 * long.rows
    assert long.source.mean <= 400
    assert long.of_rows(10 * long.rows).entries == 10 * long.entries


def test_a_model_that_nobody_knows_asks_for_what_its_evaluation_does(paper):
    changes = """
models: {t5-base: {source: {id: someone/else}}}
tasks: {sentiment: {evaluate_on: {tweets: {kind: hub, path: somebody/else}}}}
forgetting: {text: held-out.txt}
"""
    Path("held-out.txt").write_text("One text.\n\nAnother text.\n")
    study = paper(changes)
    jobs, cell = Jobs(study), Cell("sentiment", "t5-base", "full")
    names = (cell.task, cell.model, cell.method)
    assert jobs.domains(*names) == jobs.forgetting(*names) == jobs.evaluate(*names)
    assert jobs.domains(cell.task, "bart-base", "full").seconds > jobs.evaluate(cell.task, "bart-base", "full").seconds
