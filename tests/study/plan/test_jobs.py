"""Resources that the jobs of a workflow ask for."""

import subprocess
import sys

from tunegrid.study.cells import Cell
from tunegrid.study.plan.jobs import Job, Jobs
from tunegrid.study.stage_settings import evaluation_settings, run_settings


def test_a_job_asks_for_more_with_each_attempt_and_never_for_less_than_the_least():
    job = Job(seconds=7200, memory=4e9, disk=5e9, runtime_factor=3.0, memory_factor=1.5)
    assert [job.runtime(attempt) for attempt in (1, 2)] == [364, 728]  # 3 x 2 hours, the start, and the notice
    assert [job.mem_mb(attempt) for attempt in (1, 2)] == [6000, 9000]
    assert job.disk_mb(1) == 5000
    small = Job(1, 1, 1, 3.0, 1.5)
    assert (small.runtime(1), small.mem_mb(1), small.disk_mb(1)) == (10, 2000, 1000)


def test_larger_jobs_ask_for_more_time(paper):
    jobs = Jobs(paper())
    cells = [
        Cell("translation", "t5-base", "full"),
        Cell("qa", "t5-base", "full"),
        Cell("sentiment", "flan-t5-small", "full"),
    ]
    runtimes = [jobs.train(cell).runtime(1) for cell in cells]
    assert runtimes == sorted(runtimes, reverse=True)
    assert runtimes[0] > 2 * runtimes[1] > 2 * jobs.evaluate("qa", "t5-base", "full").runtime(1)
    slow = Jobs(paper("resources: {gpu: l4, runtime_factor: 6.0}"))
    assert slow.train(cells[0]).runtime(1) > 3 * runtimes[0]


def test_resources_alter_no_result(paper):
    one, other = paper(), paper("resources: {gpu: t4, runtime_factor: 9.0, memory_factor: 2.0}")
    for cell in one.cells():
        assert run_settings(one, cell) == run_settings(other, cell)
    assert evaluation_settings(one, "qa") == evaluation_settings(other, "qa")


def test_nothing_heavy_is_imported_for_the_rules(paper):
    paper()
    code = (
        "import sys; from tunegrid.study.load import load_study; from tunegrid.study.plan.jobs import Jobs\n"
        "from tunegrid.study.plan.disk import disk\n"
        "study = load_study('paper.yaml'); jobs = Jobs(study); disk(jobs.estimator)\n"
        "[jobs.train(cell).runtime(1) for cell in study.cells()]\n"
        "print([name for name in ('torch', 'transformers', 'pandas', 'pyarrow', 'datasets') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
