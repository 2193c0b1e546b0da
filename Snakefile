# TuneGrid: from data and pretrained models to the tables of a study. README.md says how to run it.
from snakemake.utils import min_version

min_version("9.0")


# A study given by --configfile or by a profile replaces the mini study instead of being merged into it.
if "study" not in config:

    configfile: "config/mini.yaml"


# The first page of `snakemake --report`.
report: "report/captions/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/mixtures.smk"
include: "workflow/rules/preferences.smk"
include: "workflow/rules/domains.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/forgetting.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.output,


onstart:
    with plain_errors():
        start(workflow, STUDY, JOBS, logger)
    CONSOLE.begin()


onsuccess:
    CONSOLE.end()
    print_summary(workflow.configfiles)


onerror:
    CONSOLE.end()
    print_summary(workflow.configfiles)
