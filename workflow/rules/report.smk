# From all results to tables, and from tables to the report. `tunegrid report` does the same without Snakemake: it writes
# the tables first where they are not those of the results, which they are here.
RESULTS = (
    [PATHS.run(run) for run in [*STUDY.runs(), *STUDY.formed_runs()]]
    + [PATHS.untuned(task, model) for task in STUDY.grid.tasks for model in STUDY.grid.models]
    + [PATHS.baseline(task, name) for task in STUDY.grid.tasks for name in STUDY.task(task).baselines()]
)

RESULTS_ON_DOMAINS = [
    PATHS.domain_results(folder)
    for task, domains in DOMAINS.items()
    if domains
    for folder in (
        [PATHS.run(run) for run in STUDY.runs() if run.cell.task == task]
        + [PATHS.untuned(task, model) for model in STUDY.grid.models]
        + [PATHS.baseline(task, name) for name in STUDY.task(task).baselines()]
    )
]


RESULTS_ON_PROBES = [
    PATHS.probe_results(folder)
    for folder in [PATHS.run(run) for run in STUDY.runs() if run.cell.task in PROBED]
    + [PATHS.untuned(task, model) for task in STUDY.grid.tasks if task in PROBED for model in STUDY.grid.models]
]

FORGETTING = [
    folder / "forgetting.json"
    for folder in [PATHS.run(run) for run in STUDY.runs()]
    + [PATHS.untuned_forgetting(model) for model in STUDY.grid.models]
    if STUDY.forgetting
]


# What instruction tuning answers to each wording.
WORDED = [cell for cell in STUDY.cells() if STUDY.is_shared(cell)]
WORDINGS = [PATHS.run(Run(cell, seed)) for cell in WORDED for seed in STUDY.seeds]
WORDINGS += [PATHS.untuned_wordings(cell.task, cell.model, cell.method) for cell in WORDED]


rule tables:
    input:
        RESULTS_ON_DOMAINS,
        RESULTS_ON_PROBES,
        FORGETTING,
        wordings=[folder / "wordings.json" for folder in WORDINGS],
        metrics=[folder / "metrics.json" for folder in RESULTS],
        predictions=[folder / "predictions.parquet" for folder in RESULTS],
        judgements=[PATHS.run(run) / "judgement.json" for run in STUDY.runs() if run.cell in JUDGED],
    output:
        directory(PATHS.tables),
    log:
        PATHS.log("tables"),
    benchmark:
        PATHS.benchmark("tables")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        settings=as_json(stage_settings.report_settings(STUDY)),
    shell:
        "tunegrid tables {resources.study} --log {log}"


rule report:
    input:
        rules.tables.output,
    output:
        PATHS.report / "report.tex",
        directory(PATHS.examples),
        report(
            PATHS.report / "report.html",
            caption="../../report/captions/report.rst",
            category="1 The whole report",
            labels={"as": "a page to scroll"},
        ),
        [
            report(
                PATHS.report / "report.pdf",
                caption="../../report/captions/report.rst",
                category="1 The whole report",
                labels={"as": "a PDF to print"},
            )
        ]
        if tex_engine()
        else [],
        tables=report(
            directory(PATHS.report / "tables"),
            patterns=["{name}.{format,html|csv}"],
            caption="../../report/captions/table.rst",
            category="2 Tables",
            subcategory=section_of,
            labels=labels_of,
        ),
        figures=report(
            directory(PATHS.report / "figures"),
            patterns=["{name}.svg"],
            caption="../../report/captions/figure.rst",
            category="3 Figures",
            subcategory=section_of,
            labels=labels_of,
        ),
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        settings=as_json(stage_settings.report_settings(STUDY)),
        captions=PATHS.report / "captions",
    shell:
        "tunegrid report {resources.study} --log {log}"
