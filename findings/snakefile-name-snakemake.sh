#!/usr/bin/env bash
# snakemake 9.27.1: a Snakefile that binds the name `snakemake` breaks Snakemake itself.
#
# Expected: names that a Snakefile binds are its own. Seen: Snakemake executes the Snakefile in a namespace in which it
# looks up its own package as `snakemake`; a module or a variable of that name takes its place, and the run ends with
# AttributeError: ... has no attribute 'io'. The message names neither the line nor the name.
# Of the same kind: snakemake/snakemake issue 3610 (a variable called `platform`).
# For a user: import functions, not a module that is called snakemake.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
environment/bin/snakemake --version

rule='
rule all:
    output: "done"
    shell: "touch {output}"
'
mkdir helpers
touch helpers/__init__.py
echo 'ANSWER = 42' >helpers/snakemake.py

run() { # the name of a case -> its log; the exit code of Snakemake
    PYTHONPATH=. environment/bin/snakemake --cores 1 --snakefile "$1" >"$1.log" 2>&1
}

printf 'from helpers.snakemake import ANSWER\n%s' "$rule" >function
printf 'from helpers import snakemake\n%s' "$rule" >module
run function
test -e done
echo "from helpers.snakemake import ANSWER: the rule ran"
rm done
if run module; then
    echo "CHANGED: a Snakefile may bind the name snakemake now"
    exit 1
fi
grep "AttributeError: module 'helpers.snakemake' has no attribute 'io'" module.log
echo "from helpers import snakemake: Snakemake ended with the error above"
