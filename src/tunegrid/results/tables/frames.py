"""Tidy tables as pandas frames and as CSV files: the type of every column, the same when a frame is built or read back.

| type | in a frame | in a CSV file |
| --- | --- | --- |
| text | str; None where it is missing or empty | as it is |
| flag | bool; None where it is missing | True, False |
| number | int64 where all values are whole and none is missing, else float64 with NaN | every digit |
| setting | the value of the configuration, of any type | as Python writes it; text without quotes |
"""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tunegrid.common.digits import absent
from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import write_text
from tunegrid.runtime.provenance import Provenance

# Every other column is a number.
TEXT = frozenset(
    "study kind task model method metric direction signature status reason baseline first_model first_method "
    "second_model second_method about tied rationale left_out paper_model paper_method verdict cause remark "
    "published_recommendation recommendation flops_formula merge cost tied_with_cheaper replaceable_by setting stage "
    "code_version git_commit python platform processor accelerator precision fp32_library packages data_fingerprint "
    "model_fingerprint data_revision model_revision started finished split protocol source revision commit licence "
    "fingerprint edge note undefined lost_characters unread_characters check severity computed meaning folder "
    "relation text reference prediction label dimension slice collapse best_model best_method best_form type domain "
    "wording template asked form saves probe condition "
    "instruction_set rows_limit seeds_limit first second shared_training reward_model pairs start judge".split()
)
FLAGS = frozenset(
    "trained in_mixture primary separated on_front chosen same_test same_recommendation published_is_tied".split()
)
# Columns whose names have another type in other tables.
EXCEPTIONS = {("settings", "value"): "setting", ("audit", "rows"): "text", ("audit", "numbers"): "text"}
EXCEPTIONS |= {(table, "precision"): "number" for table in ("thresholds", "entities")}  # a metric, not the hardware's


def with_interval(name: str, value: float, ends: Iterable[float]) -> dict[str, float]:
    """A value and the two ends of its interval as columns of a row: `name`, `name`_low and `name`_high."""
    low, high = ends
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def provenance_columns(provenance: Provenance) -> dict[str, Any]:
    """The provenance of a record as columns of a row, its packages as one text."""
    packages = "; ".join(f"{name} {version}" for name, version in sorted(provenance.packages.items()))
    return provenance.model_dump() | {"packages": packages}


def frame_of(table: str, columns: str, rows: list[dict[str, Any]]) -> Any:
    """The frame of a table, made of its rows; what a row lacks is missing."""
    import pandas as pd

    return _typed(table, pd.DataFrame(rows, columns=columns.split(), dtype=object))


def write_frame(frame: Any, table: str, file: Path) -> None:
    """Writes a frame as a CSV file from which `read_frame` makes the same frame."""
    if table == "settings":
        frame = frame.assign(value=[_setting_text(value) for value in frame["value"]])
    write_text(file, frame.to_csv(index=False, lineterminator="\n"))


def read_frame(table: str, columns: str, file: Path) -> Any:
    """The frame of a CSV file. Raises TuneGridError for a file that is not this table."""
    import pandas as pd

    names = columns.split()
    numbers = [name for name in names if _type(table, name) == "number"]
    try:
        frame = pd.read_csv(
            file,
            dtype=dict.fromkeys(set(names) - set(numbers), str),
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
            float_precision="round_trip",
        )
        if list(frame.columns) != names:
            raise ValueError(f"its columns are {', '.join(frame.columns)}")
        if table == "settings":
            frame["value"] = pd.Series([_setting(text) for text in frame["value"]], dtype=object)
        return _typed(table, frame)
    except (OSError, ValueError) as error:
        raise TuneGridError(
            f"{file}: not the table {table} ({error}). Type tunegrid tables to write it again."
        ) from error


def _type(table: str, column: str) -> str:
    by_name = "text" if column in TEXT else "flag" if column in FLAGS else "number"
    return EXCEPTIONS.get((table, column), by_name)


def _typed(table: str, frame: Any) -> Any:
    import pandas as pd

    def text(value: Any) -> str | None:
        return None if absent(value) or value == "" else str(value)

    def flag(value: Any) -> bool | None:
        return None if absent(value) or value == "" else {"True": True, "False": False}[str(value)]

    read = {"text": text, "flag": flag, "setting": lambda value: None if absent(value) else value}
    columns, index = {}, frame.index
    for name in frame.columns:
        if (kind := _type(table, name)) == "number":
            values = pd.to_numeric(frame[name])
            columns[name] = values if values.dtype == "int64" else values.astype(float)
        else:
            cells = [read[kind](value) for value in frame[name]]
            columns[name] = pd.Series(cells, index, dtype=bool if kind == "flag" and None not in cells else object)
    return pd.DataFrame(columns, index)  # its own index: with another each column would be aligned by itself


def _setting_text(value: Any) -> str:
    """A setting as text; text that would be read as something else is quoted."""
    if value is None:
        return ""
    text = str(value)
    same = _setting(text)
    return text if type(same) is type(value) and same == value else repr(value)


def _setting(text: str) -> Any:
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, SyntaxError):
        return text
