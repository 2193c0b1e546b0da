"""The stage `tokenise_wordings`: the test rows of a task in each wording of a mixture, as token ids of a model."""

from __future__ import annotations

from pathlib import Path

from tunegrid.common.files import replaced_folder, write_json
from tunegrid.data.parquet import iterate_parquet
from tunegrid.data.tokens import load_tokenizer
from tunegrid.stages.tokenise import check_positions
from tunegrid.study.cells import Cell
from tunegrid.study.mixtures import settings_of, wordings
from tunegrid.study.study import Study
from tunegrid.tasks.label_words import check_label_words
from tunegrid.tasks.tokenise import SplitTokeniser
from tunegrid.tasks.wordings import worded


def tokenise_wordings(study: Study, cell: Cell, folder: Path) -> None:
    """Writes `<wording>.arrow` for each wording of the cell's task, and `stats.json`: what was cut in each.

    Raises:
        TuneGridError: as `tokenise`.
    """
    paths, task = study.paths, study.task(cell.task, cell.model)
    model, tokenizer, stats = paths.model(cell.model), load_tokenizer(paths.model(cell.model)), {}
    check_positions(task, model)
    check_label_words(task, tokenizer, str(model))
    with replaced_folder(folder) as new:
        for wording in wordings(study, cell.task, settings_of(study, cell)):
            asked = worded(task, wording.template)
            tokeniser = SplitTokeniser(asked, task.family.name, tokenizer, training=False)
            batches = iterate_parquet(paths.split(cell.task, "test"))
            stats[wording.name] = tokeniser.write(batches, new / f"{wording.name}.arrow")
        write_json(new / "stats.json", {"wordings": stats})
