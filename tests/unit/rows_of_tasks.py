"""A task of each kind with as few settings as it needs."""

from pydantic import TypeAdapter

from tunegrid.tasks import TASKS, Task


def make_task(kind: str, **settings) -> Task:
    source = {"kind": "generated", "rows": {"train": 1, "validation": 1, "test": 1}}
    values = {"kind": kind, "source": source, "max_source_length": 64, "max_target_length": 8}
    return TASKS[kind](
        TypeAdapter(TASKS[kind].Settings).validate_python(values | {"generation": {"max_new_tokens": 4}} | settings)
    )
