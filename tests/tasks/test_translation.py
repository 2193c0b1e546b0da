"""Translation: the copied source."""

from tests.support.rows_of_tasks import ROWS, make_task, predict_baseline


def test_the_copy_is_the_source():
    assert predict_baseline(make_task("translation"), "copy", [], ROWS["translation"]) == ["a dog", "Ben"]
