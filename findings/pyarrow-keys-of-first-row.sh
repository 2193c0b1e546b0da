#!/usr/bin/env bash
# pyarrow 26.0.1, datasets 5.0.1: what the first row does not have is dropped from all rows.
#
# Expected: a table of a list of rows has the columns of all rows, with nulls where a row has none, as pandas makes it.
# Seen: Table.from_pylist and Dataset.from_list take the keys of the first row alone, and drop the others of every
# row after it without a message. Rows of JSON often leave out what is empty: an answer, a label, a title.
# For a user: give a schema (pyarrow), or the first row every key.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 datasets==5.0.1 pandas==3.1.1
environment/bin/pip list 2>/dev/null | grep -iE '^(pyarrow|datasets|pandas) '

HF_HOME=$folder environment/bin/python -W ignore - <<'PY'
import sys

import datasets
import pandas
import pyarrow

rows = [{"question": "Who?"}, {"question": "Where?", "answer": "here"}]
seen = {
    "pyarrow": pyarrow.Table.from_pylist(rows).column_names,
    "datasets": datasets.Dataset.from_list(rows).column_names,
    "pandas": list(pandas.DataFrame(rows).columns),
    "pyarrow, first row last": pyarrow.Table.from_pylist(rows[::-1]).column_names,
}
for name, columns in seen.items():
    print(f"{name}: {', '.join(columns)}")
if list(map(len, seen.values())) != [1, 1, 2, 2]:
    sys.exit("CHANGED: the columns are others now")
PY
echo "As described above."
