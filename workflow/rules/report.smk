# From all results to tables, and from tables to the report. `tunegrid report` does the same without Snakemake.
RESULTS = (
    [PATHS.run(run.cell.task, run.cell.model, run.cell.method, run.seed) for run in STUDY.runs()]
    + [PATHS.untuned(task, model) for task in STUDY.grid.tasks for model in STUDY.grid.models]
    + [PATHS.baseline(task, name) for task in STUDY.grid.tasks for name in STUDY.task(task).baselines()]
)


rule tables:
    input:
        metrics=[folder / "metrics.json" for folder in RESULTS],
        predictions=[folder / "predictions.parquet" for folder in RESULTS],
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
        settings=as_json(STUDY.report_settings()),
    shell:
        "tunegrid tables {resources.study} --log {log}"


rule report:
    input:
        rules.tables.output,
    output:
        PATHS.report / "report.tex",
        PATHS.report / "report.html",
        [PATHS.report / "report.pdf"] if tex_engine() else [],
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        settings=as_json(STUDY.report_settings()),
    shell:
        "tunegrid report {resources.study} --no-tables --log {log}"
