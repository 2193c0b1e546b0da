# Predictions and scores on the test set: of every run, of every model untuned, and of the trivial baselines.


def asked_tokens(cell):
    """The token ids of the test rows as the model of a cell is asked."""
    if STUDY.is_shared(cell):
        return PATHS.wording_tokens(cell.task, cell.model, cell.method)
    return PATHS.tokens(cell.task, cell.model) / "test.arrow"


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
        **asks(lambda wildcards: JOBS.evaluate(wildcards.task, wildcards.model, wildcards.method)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.form_settings, lambda wildcards: (cell_of(wildcards), wildcards.form)),
    shell:
        "tunegrid compress {resources.study} --task {wildcards.task} --model {wildcards.model} --method {wildcards.method} "
        "--seed {wildcards.seed} --form {wildcards.form} --settings {params.digest} --log {log}"


# What instruction tuning is asked: the test rows in each of the wordings of its mixture.
rule tokenise_wordings:
    input:
        rows=PATHS.split("{task}", "test"),
        model=PATHS.model("{model}"),
    output:
        directory(PATHS.wording_tokens("{task}", "{model}", "{method}")),
    log:
        PATHS.log("tokenise_wordings/{task}/{model}/{method}"),
    benchmark:
        PATHS.benchmark("tokenise_wordings/{task}/{model}/{method}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.wording_tokens(cell_of(wildcards))),
        study=CONFIG,
    params:
        **settings_params(mixtures.wording_settings, lambda wildcards: (cell_of(wildcards),)),
    shell:
        "tunegrid tokenise-wordings {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --settings {params.digest} --log {log}"


rule evaluate_wordings:
    input:
        weights=PATHS.run(RUN) / "weights",
        tokens=PATHS.wording_tokens("{task}", "{model}", "{method}"),
        rows=PATHS.split("{task}", "test"),
    output:
        answers=PATHS.run(RUN) / "wordings.parquet",
        record=PATHS.run(RUN) / "wordings.json",
    log:
        PATHS.log(f"evaluate_wordings/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"evaluate_wordings/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.worded(cell_of(wildcards))),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.worded_evaluation_settings, lambda wildcards: (cell_of(wildcards),)),
    shell:
        "tunegrid evaluate-wordings {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --seed {wildcards.seed} --settings {params.digest} --log {log}"


rule evaluate_untuned_wordings:
    input:
        model=PATHS.model("{model}"),
        tokens=PATHS.wording_tokens("{task}", "{model}", "{method}"),
        rows=PATHS.split("{task}", "test"),
    output:
        answers=PATHS.untuned_wordings("{task}", "{model}", "{method}") / "wordings.parquet",
        record=PATHS.untuned_wordings("{task}", "{model}", "{method}") / "wordings.json",
    log:
        PATHS.log("evaluate_untuned_wordings/{task}/{model}/{method}"),
    benchmark:
        PATHS.benchmark("evaluate_untuned_wordings/{task}/{model}/{method}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.worded(cell_of(wildcards))),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.worded_evaluation_settings, lambda wildcards: (cell_of(wildcards),)),
    shell:
        "tunegrid evaluate-wordings {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --settings {params.digest} --log {log}"


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


# A run with a reward model against the run that it started from.
JUDGED = judged_cells(STUDY)


def start_of(wildcards):
    start, _ = JUDGED[cell_of(wildcards)]
    return PATHS.run(Run(Cell(wildcards.task, wildcards.model, start), wildcards.seed))


def reward_of(wildcards):
    _, reward = JUDGED[cell_of(wildcards)]
    return PATHS.reward(wildcards.task, wildcards.model, reward)


rule judge:
    input:
        predictions=PATHS.run(RUN) / "predictions.parquet",
        metrics=PATHS.run(RUN) / "metrics.json",
        start_predictions=lambda wildcards: start_of(wildcards) / "predictions.parquet",
        start_metrics=lambda wildcards: start_of(wildcards) / "metrics.json",
        reward=lambda wildcards: [reward_of(wildcards) / "reward.json", reward_of(wildcards) / "weights"],
        tokens=PATHS.tokens("{task}", "{model}") / "test.arrow",
    output:
        scores=PATHS.run(RUN) / "judgement.parquet",
        record=PATHS.run(RUN) / "judgement.json",
    log:
        PATHS.log(f"judge/{RUN.path}"),
    benchmark:
        PATHS.benchmark(f"judge/{RUN.path}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.evaluate(wildcards.task, wildcards.model)),
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.judgement_settings, lambda wildcards: (cell_of(wildcards),)),
    shell:
        "tunegrid judge {resources.study} --task {wildcards.task} --model {wildcards.model} --method {wildcards.method} "
        "--seed {wildcards.seed} --settings {params.digest} --log {log}"
