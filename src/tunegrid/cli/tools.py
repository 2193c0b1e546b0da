"""Commands that need no study of their own."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunegrid.cli.command import Commands, number
from tunegrid.cli.outputs import check_tables_output, output_path
from tunegrid.study.study import Study


def add_to(commands: Commands) -> None:
    compare = commands.add("compare", _compare, "Say whether two results folders contain the same results.")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    published = commands.add("published", _published, "Render the paper's own tables through the same templates.")
    published.add_argument(
        "folder", type=output_path, help="folder to write: a new or empty one, or one that this command wrote before"
    )
    audit = commands.add("audit", _audit, "Check tables of scores by arithmetic: the paper's, or any in CSV files.")
    audit.add_argument(
        "folder", type=Path, nargs="?", help="CSV files as docs/audit.md says; default: the paper's tables"
    )
    audit.add_argument("--csv", type=output_path, metavar="FILE", help="write the findings as CSV too")
    audit.add_argument(
        "--pairs",
        type=output_path,
        metavar="FILE",
        help="write every test size, with its positives, that fits the scores",
    )
    audit.add_argument(
        "--time-limit",
        type=number(lambda value: 0 < value <= 1e6, "is not a number of seconds above 0, and at most 1,000,000"),
        default=120.0,
        metavar="SECONDS",
        help="how long is searched for counts that give the scores, over all tables (default: 120)",
    )
    text = "Unlock this folder after a Snakemake was killed; refuses while one is running in it."
    unlock = commands.add("unlock", _unlock, text)
    unlock.add_argument("config", nargs="*", help="not needed: a lock is on the folder, not on a study")
    unlock.add_argument("--force", action="store_true", help="even if it may be running on another machine")
    schema = commands.add("schema", _schema, "Write the JSON Schema of configurations and results.")
    schema.add_argument("folder", type=output_path)


def _compare(options: argparse.Namespace) -> int:
    from tunegrid.results.compare import compare, moved_scores

    differences = compare(options.first, options.second)
    if differences and (moved := moved_scores(options.first, options.second)):
        differences.append(moved)
    print("\n".join(differences) or "the same results: weights and predictions byte for byte, metrics equal")
    return 1 if differences else 0


def _published(options: argparse.Namespace) -> None:
    from tunegrid.common.files import own_folder
    from tunegrid.report.render import render_published, tex_engine

    with own_folder(options.folder, "tunegrid published") as new:
        files = render_published(new, pdf=tex_engine() is not None)
    for file in files:
        print(options.folder / file.relative_to(new))


def _audit(options: argparse.Namespace) -> int:
    """Prints the audit of a folder, by default of the paper's tables; returns 1 if it finds an error, else 0."""
    from tunegrid.common.files import write_text
    from tunegrid.common.package_data import published_folder
    from tunegrid.results.audit import show
    from tunegrid.results.audit.checks import audit_folder
    from tunegrid.results.audit.folder import read_folder

    folder = options.folder or published_folder()
    check_tables_output(folder, options.csv, options.pairs)
    tables = read_folder(folder)
    result = audit_folder(tables, time_limit=options.time_limit, progress=True)
    print(show.report(tables, result, str(options.folder or "the paper's tables")))
    for file, text in (
        (options.csv, show.findings_csv(result.findings)),
        (options.pairs, show.pairs_csv(result.groups)),
    ):
        if file:
            write_text(file, text)
    return 1 if result.failed else 0


def _unlock(options: argparse.Namespace) -> None:
    from tunegrid.runtime import snakemake

    print(snakemake.unlock(options.force))


def _schema(options: argparse.Namespace) -> None:
    from tunegrid.common.files import write_json
    from tunegrid.results.records import json_schemas

    schemas = {"study.json": Study.model_json_schema(), **json_schemas()}
    for name, schema in schemas.items():
        write_json(options.folder / f"{Path(name).stem}.schema.json", schema)
