# Predictions and scores on the test set: of every run, of every model untuned, and of the trivial baselines.


rule evaluate:
    input:
        weights=PATHS.run(RUN) / "weights",
        tokens=lambda wildcards: asked_tokens(cell_of(wildcards)),
        rows=PATHS.split("{task}", "test"),
    output:
        predictions=PATHS.run(RUN) / "predictions.parquet",
        metrics=PATHS.run(RUN) / "metrics.json",
    log:
        PATHS.log(f"evaluate/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"evaluate/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.evaluate(wildcards.task, wildcards.model, wildcards.method)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.evaluation_settings, lambda wildcards: (wildcards.task,)),
    shell:
        "tunegrid evaluate {resources.study} --task {wildcards.task} --model {wildcards.model} --method {wildcards.method} "
        "--seed {wildcards.seed} --settings {params.digest} --log {log}"


# The runs whose method merges into plain weights, with these in another form: fewer bits, fewer weights.
rule compress:
    input:
        weights=PATHS.run(RUN) / "weights",
        tokens=lambda wildcards: asked_tokens(cell_of(wildcards)),
        rows=PATHS.split("{task}", "test"),
    output:
        predictions=PATHS.run(FORMED_RUN) / "predictions.parquet",
        metrics=PATHS.run(FORMED_RUN) / "metrics.json",
    log:
        PATHS.log(f"compress/{FORMED_RUN.path}"),
    benchmark:
        PATHS.benchmark(f"compress/{FORMED_RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.form(cell_of(wildcards), wildcards.form)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.form_settings, lambda wildcards: (cell_of(wildcards), wildcards.form)),
    shell:
        "tunegrid compress {resources.study} --task {wildcards.task} --model {wildcards.model} --method {wildcards.method} "
        "--seed {wildcards.seed} --form {wildcards.form} --settings {params.digest} --log {log}"


rule evaluate_untuned:
    input:
        model=PATHS.model("{model}"),
        tokens=PATHS.tokens("{task}", "{model}") / "test.arrow",
        rows=PATHS.split("{task}", "test"),
    output:
        predictions=PATHS.untuned("{task}", "{model}") / "predictions.parquet",
        metrics=PATHS.untuned("{task}", "{model}") / "metrics.json",
    log:
        PATHS.log("evaluate_untuned/{task}/{model}"),
    benchmark:
        PATHS.benchmark("evaluate_untuned/{task}/{model}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.evaluate(wildcards.task, wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.evaluation_settings, lambda wildcards: (wildcards.task,)),
    shell:
        "tunegrid evaluate {resources.study} --task {wildcards.task} --model {wildcards.model} --method untuned "
        "--settings {params.digest} --log {log}"


rule evaluate_baseline:
    input:
        train=PATHS.split("{task}", "train"),
        test=PATHS.split("{task}", "test"),
        data=PATHS.data_card("{task}"),
    output:
        predictions=PATHS.baseline("{task}", "{baseline}") / "predictions.parquet",
        metrics=PATHS.baseline("{task}", "{baseline}") / "metrics.json",
    log:
        PATHS.log("evaluate_baseline/{task}/{baseline}"),
    benchmark:
        PATHS.benchmark("evaluate_baseline/{task}/{baseline}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.baseline(wildcards.task)),
        study=CONFIG,
    params:
        **settings_params(stage_settings.evaluation_settings, lambda wildcards: (wildcards.task,)),
    shell:
        "tunegrid baseline {resources.study} --task {wildcards.task} --name {wildcards.baseline} "
        "--mem-mb {resources.mem_mb} --settings {params.digest} --log {log}"
