"""The command `tunegrid new`: from files of rows to a study that can be run."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.cli.command import Commands, number
from tunegrid.cli.outputs import check_output, output_path
from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.data.formats.lines import numbered_lines
from tunegrid.tasks import TASKS

if TYPE_CHECKING:
    from tunegrid.study.new.look import Looked

TEST_SHARE = 0.2
BESIDE = {"test": ("test",), "validation": ("validation", "valid", "val", "dev")}  # names of files beside `train`


def add_to(commands: Commands) -> None:
    text = (
        "Write a study of your own files: look at their columns, propose task, labels and lengths. Asks on a terminal."
    )
    new = commands.add("new", _new, text)
    new.add_argument("file", type=Path, nargs="?", help="rows: CSV, TSV, JSON, JSON Lines, Parquet or CoNLL")
    new.add_argument("--kind", help=f"{', '.join(TASKS)}; default: by the columns")
    new.add_argument(
        "--column", action="append", default=[], metavar="OURS=YOURS", help="a column: text=review; as often as needed"
    )
    new.add_argument(
        "--labels", metavar="NAMES", help="names of labels or tags where the rows have their indices: a,b,c or a file"
    )
    new.add_argument(
        "--test", type=Path, metavar="FILE", help="test rows; default: a file beside, or a share of the rows"
    )
    new.add_argument("--validation", type=Path, metavar="FILE", help="validation rows; default: the same")
    share = number(lambda value: 0 < value < 1, "is no share: a number above 0 and below 1, such as 0.2")
    new.add_argument(
        "--test-share", type=share, metavar="SHARE", help=f"share of the rows for the test; default: {TEST_SHARE}"
    )
    header = new.add_mutually_exclusive_group()
    header.add_argument(
        "--header", action="store_true", default=None, help="the first line of CSV or TSV names the columns"
    )
    header.add_argument(
        "--no-header", dest="header", action="store_false", help="it does not; default: by what it holds"
    )
    new.add_argument("--name", help="name of the study; default: that of the file, of `train` that of its folder")
    new.add_argument("--output", type=output_path, metavar="FILE", help="file to write; default: NAME.yaml here")
    new.add_argument(
        "--mini", action="store_true", help="small models that come with the package: runs at once, without a network"
    )
    new.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda; with --mini cpu")
    new.add_argument("--licence", default="", help="the data's licence, as the report prints it")
    new.add_argument("--force", action="store_true", help="replace the file that is there")


def _new(options: argparse.Namespace) -> None:
    from tunegrid.study.new.create import create
    from tunegrid.study.new.look import look
    from tunegrid.study.new.task import as_name

    file = options.file or _ask_file()
    paths = {"train": file} | _other_files(file, options)
    name = options.name or as_name(_own_name(file))
    _check_different(paths)
    output = options.output or Path(f"{name}.yaml")
    if output.exists() and not options.force:
        raise TuneGridError(f"{output}: is there already. Name another file (--output), or replace it (--force).")
    check_output(output, paths.values())
    looked = look(paths, options.header)
    _say(_columns_text(paths, looked))
    kind = _kind(options, looked)
    mapping = _mapping(kind, options, looked)
    share = None if "test" in paths else options.test_share or TEST_SHARE
    words = create(
        name,
        kind,
        looked,
        paths,
        mapping,
        output=output,
        labels=_labels(options.labels),
        test_share=share,
        mini=options.mini,
        device=options.device or ("cpu" if options.mini else "cuda"),
        licence=options.licence,
    )
    _say(words)
    place = shlex.quote(str(output))
    commands = (f"tunegrid check {place}", f"tunegrid plan {place}", f"snakemake --cores all --configfile {place}")
    print("\n  ".join((f"{output} written. Next:", *commands)))


def _own_name(file: Path) -> str:
    """What the rows are called: the file's name or, where it says the split alone, that of its folder."""
    stem = file.name.split(".")[0]
    folder = file.absolute().parent.name
    return folder if stem.lower() in ("train", "training") and folder else stem


def _check_different(paths: dict[str, Path]) -> None:
    """Raises TuneGridError if two splits are the same file: whatever is trained on would be tested on."""
    for (split, path), (other, later) in combinations(paths.items(), 2):
        if path.is_file() and later.is_file() and os.path.samefile(path, later):
            raise TuneGridError(f"{later}: is named for the {split} and the {other} rows. Name two files.")


def _say(text: str) -> None:
    print(text, flush=True)


def _asks() -> bool:
    """Whether somebody can answer."""
    return bool(sys.stdin and sys.stdin.isatty())


def _ask(question: str, default: str = "") -> str:
    print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise TuneGridError("no answer.")
    return line.strip() or default


def _ask_file() -> Path:
    if not _asks():
        raise TuneGridError("name a file of rows: tunegrid new FILE.")
    return Path(_ask("File of rows (CSV, TSV, JSON Lines, Parquet, CoNLL)"))


def _other_files(file: Path, options: argparse.Namespace) -> dict[str, Path]:
    """The files of validation and test rows: named, or beside one that is called `train`."""
    files = {}
    for split, names in BESIDE.items():
        if (given := getattr(options, split)) is not None:
            files[split] = given
            continue
        beside = [file.with_name(re.sub("train", name, file.name)) for name in names if "train" in file.name]
        if (split == "validation" or not options.test_share) and (there := [path for path in beside if path.is_file()]):
            files[split] = there[0]
    return {split: files[split] for split in ("validation", "test") if split in files}


def _columns_text(paths: dict[str, Path], looked: Looked) -> str:
    lines = []
    for split, path in paths.items():
        more = "" if looked.whole else " looked at"
        lines.append(f"{split}: {path}, {len(looked.rows[split]):,} rows{more}")
    if looked.header:
        lines.append("The first line is taken for a row, not for names of columns (--header says that it has names).")
    for column in looked.columns.values():
        different = f", {len(column.values):,} different" if column.values is not None and column.values else ""
        words = f", {column.mean_words:.1f} words on average" if column.words else ""
        shown = json.dumps(column.example, ensure_ascii=False, default=str)
        lines.append(f"  {column.name}: {column.kind}{different}{words}, such as {shown[:60]}")
    return "\n".join(lines)


def _kind(options: argparse.Namespace, looked: Looked) -> str:
    from tunegrid.study.new.look import tag_of_word
    from tunegrid.study.new.propose import guess

    kind = options.kind
    if kind is None:
        if column := tag_of_word(looked.columns):
            raise TuneGridError(
                f"column {column} has the tag of one word in each row, and a row of a task is a sentence. Write the "
                "words to a .conll file: a word and its tag a line, an empty line after each sentence. Or say --kind."
            )
        kind = guess(looked.columns)
        if _asks():
            kind = _ask(f"Kind of task ({', '.join(TASKS)})", kind or "")
        elif kind is None:
            raise TuneGridError(f"no kind of task is plain from these columns: --kind {'|'.join(TASKS)}.")
        else:
            _say(f"kind: {kind}, by the columns (--kind says another)")
    if kind not in TASKS:
        raise TuneGridError(f"--kind {kind}: unknown. {did_you_mean(kind, TASKS)}")
    return kind


def _mapping(kind: str, options: argparse.Namespace, looked: Looked) -> dict[str, str]:
    from tunegrid.study.new.propose import columns_for, other_labels

    given = {}
    for pair in options.column:
        own, sign, name = pair.partition("=")
        if not (sign and own and name):
            raise TuneGridError(f"--column {pair}: write TuneGrid's column, =, and yours: --column text=review.")
        given[own] = name
    mapping = columns_for(kind, looked.columns, given)
    while _asks() and not options.column:
        answer = _ask(f"Columns: {_pairs(mapping)}. Enter takes them; or change one (text=review)")
        if not answer:
            break
        own, _, name = answer.partition("=")
        try:
            mapping = columns_for(kind, looked.columns, mapping | {own.strip(): name.strip()})
        except TuneGridError as error:
            print(error, file=sys.stderr)
    _say(f"columns: {_pairs(mapping)}")
    if "label" not in given and (others := other_labels(kind, looked.columns, mapping)):
        _say(f"The labels could be {' or '.join(others)} as well: --column label={others[0]} says so.")
    return mapping


def _pairs(mapping: dict[str, str]) -> str:
    return ", ".join(f"{own}={name}" for own, name in mapping.items())


def _labels(text: str | None) -> list[str]:
    """Names of labels: with commas between them, or a file: a JSON list, or a name a line."""
    if not text:
        return []
    file = Path(text)
    if not os.path.isfile(file):  # a long list of names is no path that the system knows
        return [name.strip() for name in text.split(",") if name.strip()]
    content = "".join(line for _, line in numbered_lines(file))
    try:
        names = json.loads(content)
    except (ValueError, RecursionError):
        names = content.splitlines()
    names = list(names.values()) if isinstance(names, dict) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TuneGridError(f"{file}: expected a JSON list of names, or a name a line.")
    return [name.strip() for name in names if name.strip()]
