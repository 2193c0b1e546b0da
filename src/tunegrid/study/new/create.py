"""Creates a study's configuration from rows that were looked at, and checks it as `tunegrid check` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced
from tunegrid.common.words import plural
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study
from tunegrid.study.local_ceilings import local_ceilings
from tunegrid.study.new.lengths import measure, uneven_labels
from tunegrid.study.new.look import Looked
from tunegrid.study.new.task import draft
from tunegrid.study.new.write import MINI, PAPER, study_text

MOST_NAMED = 10  # columns


def create(
    name: str,
    kind: str,
    looked: Looked,
    paths: Mapping[str, Path],
    mapping: Mapping[str, str],
    *,
    output: Path,
    labels: Sequence[str] = (),
    test_share: float | None = None,
    mini: bool = False,
    device: str = "cpu",
    licence: str = "",
) -> str:
    """Writes a study of rows, and says in words what was found in them; options as for `draft`.

    Args:
        mini: with the packaged models, instead of those of the paper.

    Raises:
        TuneGridError: the rows make no such task, or the study would not pass `tunegrid check`; nothing is written
            then.
    """
    kit = MINI if mini else PAPER
    made = draft(kind, looked, paths, mapping, labels=labels, test_share=test_share, licence=licence)
    measured = measure(made, [(model, family, place) for model, family, place, _ in kit.models])
    text = study_text(name, made, measured, kit, device, output)
    with replaced(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
        try:
            study = load_study(temporary, locked=False)
            check_files(study)
            local_ceilings(study)  # refuses words of labels that do not fit
        except TuneGridError as error:
            raise TuneGridError(f"nothing was written: {str(error).replace(str(temporary), str(output))}") from None
    words = [f"{len(looked.columns)} columns, {sum(map(len, made.rows.values())):,} usable rows"]
    if unread := _unread(looked, mapping, made.source["columns"].get("id")):
        words.append(f"Not read: {', '.join(unread[:MOST_NAMED])}{', …' if len(unread) > MOST_NAMED else ''}.")
    number, reason = made.unusable
    if number:
        words.append(f"{plural(number, 'row')} cannot be used and {'is' if number == 1 else 'are'} left out. {reason}")
    words += made.notes
    if kind in ("classification", "pair-classification") and (uneven := uneven_labels(measured)):
        words.append(uneven)
    if not looked.whole:
        words.append("Only the first 100,000 rows were looked at: labels that come later are not in the study.")
    return "\n".join(words)


def _unread(looked: Looked, mapping: Mapping[str, str], identifier: str | None) -> list[str]:
    """Columns that no part of the task is read from: somebody may have thought that a model sees them."""
    read = {*mapping.values(), identifier or "id"}
    # Of a mapping and its parts the parts are named, as far as there are any.
    outer = {name for name in looked.columns if any(other.startswith(f"{name}.") for other in looked.columns)}
    return [
        name
        for name in looked.columns
        if name not in read | outer and not any(name.startswith(f"{other}.") for other in read)
    ]
