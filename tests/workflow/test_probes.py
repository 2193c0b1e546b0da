"""Bias probes and forgetting in the workflow: one job for each run and untuned model, and none where nobody asks."""

from tests.support.running import MINI, ROOT, Workflow

OVERLAYS = [ROOT / "config" / "overlays" / f"mini-{name}.yaml" for name in ("probes", "forgetting")]
RULES = ("evaluate_probes", "evaluate_probes_untuned", "held_out_text", "evaluate_forgetting", "forgetting_untuned")


def test_every_run_and_untuned_model_is_probed_and_measured_once(tmp_path):
    planned = Workflow(tmp_path, MINI, *OVERLAYS).planned()
    assert {rule: planned[rule] for rule in RULES} == dict(zip(RULES, (81, 9, 1, 81, 3), strict=True))


def test_a_study_without_probes_and_forgetting_has_no_such_jobs(tmp_path):
    planned = Workflow(tmp_path, MINI).planned()
    assert planned["evaluate"] == 81
    assert not any(planned[rule] for rule in RULES)
