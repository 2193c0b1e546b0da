#!/usr/bin/env bash
# snakemake 9.27.1: its scheduler polls more often with every job that ends, as long as others wait.
#
# Expected: a round of the scheduler when a job ends, so some 60 rounds for 60 jobs. Seen: many times as many. With a rate
# limit (--max-jobs-per-timespan, 100/1s by default, which no option switches off) each round in which jobs wait starts a
# timer for a further round a second later, and each job that ends starts a round of its own: after n jobs there are n
# rounds a second. Each round asks for size and existence of every input of every waiting job, on a thread of its own.
# In a study of 193 jobs that was half of the CPU time of Snakemake's process.
# For a user: onstart: workflow.scheduler.job_rate_limiter = None
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
environment/bin/snakemake --version

rules='
rule all:
    input: expand("{n}.txt", n=range(60))
rule job:
    output: "{n}.txt"
    shell: "sleep 0.5; touch {output}"
'
printf '%s' "$rules" >default
printf '%s\nonstart:\n    workflow.scheduler.job_rate_limiter = None\n' "$rules" >without

rounds() { # a Snakefile -> the number of the scheduler's rounds
    environment/bin/snakemake --cores 2 --snakefile "$1" --verbose >"$1.log" 2>&1
    rm -f ./*.txt
    grep -c "Ready jobs" "$1.log"
}

default=$(rounds default)
without=$(rounds without)
echo "60 jobs, two at a time: $default rounds of the scheduler by default, $without without a rate limit"
if [ "$default" -lt $((3 * without)) ]; then
    echo "CHANGED: the scheduler polls less than it did"
    exit 1
fi
