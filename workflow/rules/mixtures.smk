# Instruction tuning: the tokens of a mixture and its training, which its cells share, and the wordings of a task.


# What instruction tuning trains once for the cells of several tasks: its tokens and its training.
rule tokenise_mixture:
    input:
        splits=lambda wildcards: [
            PATHS.split(mixed.name, split)
            for mixed in mixtures.mixed_tasks(STUDY, mixture_of(wildcards))
            for split in ("train", "validation")
        ],
        cards=lambda wildcards: [
            PATHS.data_card(mixed.name) for mixed in mixtures.mixed_tasks(STUDY, mixture_of(wildcards))
        ],
        model=PATHS.model("{model}"),
    output:
        directory(PATHS.mixture_tokens("{model}", "{method}")),
    log:
        PATHS.log("tokenise_mixture/{model}/{method}"),
    benchmark:
        PATHS.benchmark("tokenise_mixture/{model}/{method}")
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.mixture_tokens(mixture_of(wildcards))),
        study=CONFIG,
    params:
        **settings_params(mixtures.mixture_settings, lambda wildcards: (mixture_of(wildcards),)),
    shell:
        "tunegrid tokenise-mixture {resources.study} --model {wildcards.model} --method {wildcards.method} "
        "--settings {params.digest} --log {log}"


rule train_mixture:
    input:
        tokens=PATHS.mixture_tokens("{model}", "{method}"),
        model=PATHS.model("{model}"),
        splits=lambda wildcards: [
            PATHS.split(mixed.name, "validation") for mixed in mixtures.mixed_tasks(STUDY, mixture_of(wildcards))
        ],
        needs=lambda wildcards: needed_files(STUDY, Run(mixture_of(wildcards), wildcards.seed)),
    output:
        weights=directory(PATHS.run(MIXTURE_RUN) / "weights"),
        record=PATHS.run(MIXTURE_RUN) / "train.json",
        history=PATHS.run(MIXTURE_RUN) / "history.csv",
    log:
        PATHS.log("train_mixture/{model}/{method}/seed-{seed}"),
    benchmark:
        PATHS.benchmark("train_mixture/{model}/{method}/seed-{seed}")
    retries: RETRIES
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.train(mixture_of(wildcards))),
        attempt=lambda wildcards, attempt: attempt,
        attempts=STUDY.resources.attempts,
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.run_settings, lambda wildcards: (mixture_of(wildcards),)),
    shell:
        "tunegrid train-mixture {resources.study} --model {wildcards.model} --method {wildcards.method} "
        "--seed {wildcards.seed} --settings {params.digest} --log {log} "
        "--attempt {resources.attempt} --attempts {resources.attempts} --mem-mb {resources.mem_mb}"


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
