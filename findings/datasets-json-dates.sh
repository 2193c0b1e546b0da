#!/usr/bin/env bash
# datasets 5.0.1: answers of JSON Lines that are dates come as datetimes, and long numbers rounded.
#
# Expected: JSON has texts and numbers, and a text between quotes stays one. Seen: load_dataset("json") makes a column whose
# values all look like "1998-05-01" one of timestamps, and its rows hold datetime objects; one number of 20 digits
# makes the whole column one of floats, which round. Whether an answer is text depends on what the other rows hold.
# For a user: name the `features`, or read the lines with json.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check datasets==5.0.1 pyarrow==26.0.1 pandas==3.1.1
environment/bin/pip list 2>/dev/null | grep -iE '^(pyarrow|datasets) '

HF_HOME=$folder HF_HUB_OFFLINE=1 environment/bin/python -W ignore - <<'PY'
import json
import sys

import datasets

datasets.disable_progress_bars()
seen = []
for name, answers in {"dates": ["1998-05-01", "2001-11-30"], "a date and a word": ["1998-05-01", "Paris"]}.items():
    rows = [
        {"id": number, "answer": answer} for number, answer in zip((12345678901234567890, 7), answers, strict=True)
    ]
    with open("rows.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    read = datasets.load_dataset("json", data_files="rows.jsonl", split="train", cache_dir=name)[0]
    print(f"{name}: {rows[0]} is read as {read}")
    seen.append((type(read["answer"]).__name__, type(read["id"]).__name__))
if seen != [("datetime", "float"), ("str", "float")]:
    sys.exit("CHANGED: the types are others now")
PY
echo "As described above."
