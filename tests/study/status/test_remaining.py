"""How long jobs take: by similar jobs, else by the plan."""

import pytest

from tunegrid.study.cells import Cell
from tunegrid.study.plan.jobs import Jobs
from tunegrid.study.status.items import items
from tunegrid.study.status.remaining import Durations
from tunegrid.study.study import Study


def test_a_job_takes_as_long_as_its_like_else_as_the_plan_says_in_proportion(tiny_study):
    study: Study = tiny_study("grid: {tasks: [qa], models: [t5], methods: [full, lora, adapters]}")
    training = {(item.cell.method, item.part): item for item in items(study) if item.stage == "training"}
    plan = {method: Jobs(study).train(Cell("qa", "t5", method)).seconds for method in ("full", "lora", "adapters")}
    full, lora = training["full", "1"], training["lora", "1"]
    durations = Durations(study, [(full, 12.0), (lora, 4.0)])
    assert durations.estimate(training["full", "2"]) == 12.0
    assert durations.estimate(training["lora", "2"]) == 4.0
    assert durations.estimate(training["adapters", "1"]) == pytest.approx(
        plan["adapters"] * (12.0 + 4.0) / (plan["full"] + plan["lora"])
    )
    assert Durations(study, []).estimate(full) == plan["full"]
