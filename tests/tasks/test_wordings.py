"""Wordings: those of the project fit their kind of task, and a study's own come before them."""

import pytest

from tests.support.rows_of_tasks import make_task
from tunegrid.common.package_data import wordings_folder
from tunegrid.models import FAMILIES
from tunegrid.tasks import TASKS
from tunegrid.tasks.wordings import Wordings, shipped_wordings, worded, wordings_of

KINDS = sorted(file.stem for file in wordings_folder().glob("*.yaml"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_projects_wordings_are_of_a_known_kind_several_and_all_different(kind):
    assert kind in TASKS
    found = shipped_wordings(kind)
    assert len(found.train) >= 3
    assert len(found.unseen) >= 2
    assert len({*found.train, *found.unseen}) == len(found.train) + len(found.unseen)


def test_a_studys_own_wordings_replace_those_of_the_kind_list_by_list():
    shipped = shipped_wordings("qa")
    own = wordings_of("qa", Wordings(train=["{question} {context}"]))
    assert [(wording.name, wording.template, wording.trained) for wording in own] == [
        ("train-1", "{question} {context}", True),
        *((f"unseen-{number}", template, False) for number, template in enumerate(shipped.unseen, start=1)),
    ]
    assert [one.name for one in wordings_of("qa", Wordings(unseen=[]))] == ["train-1", "train-2", "train-3", "train-4"]
    assert wordings_of("no such kind", None) == []


def test_a_worded_task_is_asked_in_these_words_and_else_as_before():
    task = type(make_task("qa"))(make_task("qa").settings, FAMILIES["bart"])
    asked = worded(task, "Look: {context} So {question}")
    row = {"question": "where?", "context": "here."}
    assert asked.source_text(row, "bart") == "Look: here. So where?"
    assert task.source_text(row, "bart") == "where? </s> here."
    assert asked.settings.generation == task.settings.generation
