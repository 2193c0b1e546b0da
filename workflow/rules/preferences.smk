# Learning from preferences: pairs of answers, reward models, and judgements of runs that started from others.


localrules:
    fetch_pairs,


# Pairs for methods that learn from preferences, where a cell needs them; a rule on the task's rows makes some of them.
rule fetch_pairs:
    input:
        files=lambda wildcards: STUDY.preferences[wildcards.pairs].source.files(),
        rows=lambda wildcards: (
            [PATHS.split(wildcards.task, split) for split in SPLITS]
            if STUDY.preferences[wildcards.pairs].source.kind == "corrupted"
            else []
        ),
    output:
        splits=PATHS.pair_splits("{task}", "{pairs}"),
        card=PATHS.pairs_card("{task}", "{pairs}"),
    log:
        PATHS.log("fetch_pairs/{task}/{pairs}"),
    benchmark:
        PATHS.benchmark("fetch_pairs/{task}/{pairs}")
    wildcard_constraints:
        pairs=one_of([name for name in STUDY.preferences if not STUDY.preferences[name].of_model]),
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.pairs_settings, lambda wildcards: (wildcards.task, wildcards.pairs)),
    shell:
        "tunegrid fetch-pairs {resources.study} --task {wildcards.task} --pairs {wildcards.pairs} "
        "--settings {params.digest} --log {log}"


# Pairs of answers that the tuned model of the study's first seed samples, of each task and model whose cells need them.
rule sample_pairs:
    input:
        rows=lambda wildcards: [PATHS.split(wildcards.task, split) for split in SPLITS],
        data=PATHS.data_card("{task}"),
        model=PATHS.model("{model}"),
        run=lambda wildcards: [
            PATHS.run(sampled_from(STUDY, wildcards.task, wildcards.model, wildcards.pairs)) / name
            for name in ("train.json", "weights")
        ],
    output:
        splits=PATHS.pair_splits("{task}", "{pairs}", "{model}"),
        card=PATHS.pairs_card("{task}", "{pairs}", "{model}"),
    log:
        PATHS.log("sample_pairs/{task}/{model}/{pairs}"),
    benchmark:
        PATHS.benchmark("sample_pairs/{task}/{model}/{pairs}")
    wildcard_constraints:
        pairs=one_of([name for name in STUDY.preferences if STUDY.preferences[name].of_model]),
    retries: RETRIES
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.sample(wildcards.task, wildcards.model, wildcards.pairs)),
        attempt=lambda wildcards, attempt: attempt,
        attempts=STUDY.resources.attempts,
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(
            stage_settings.pairs_settings, lambda wildcards: (wildcards.task, wildcards.pairs, wildcards.model)
        ),
    shell:
        "tunegrid sample-pairs {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--pairs {wildcards.pairs} --settings {params.digest} --log {log} "
        "--attempt {resources.attempt} --attempts {resources.attempts} --mem-mb {resources.mem_mb}"


# One for each task and model whose cells need it; all their seeds share it.
rule train_reward:
    input:
        pairs=lambda wildcards: PATHS.pair_splits(*pairs_of(wildcards)),
        card=lambda wildcards: PATHS.pairs_card(*pairs_of(wildcards)),
        model=PATHS.model("{model}"),
    output:
        weights=directory(PATHS.reward("{task}", "{model}", "{reward}") / "weights"),
        record=PATHS.reward("{task}", "{model}", "{reward}") / "reward.json",
        history=PATHS.reward("{task}", "{model}", "{reward}") / "history.csv",
    log:
        PATHS.log("train_reward/{task}/{model}/{reward}"),
    benchmark:
        PATHS.benchmark("train_reward/{task}/{model}/{reward}")
    wildcard_constraints:
        reward=one_of(STUDY.rewards),
    retries: RETRIES
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.reward(wildcards.task, wildcards.model, wildcards.reward)),
        attempt=lambda wildcards, attempt: attempt,
        attempts=STUDY.resources.attempts,
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(
            stage_settings.reward_settings, lambda wildcards: (wildcards.task, wildcards.model, wildcards.reward)
        ),
    shell:
        "tunegrid train-reward {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--reward {wildcards.reward} --settings {params.digest} --log {log} "
        "--attempt {resources.attempt} --attempts {resources.attempts} --mem-mb {resources.mem_mb}"


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
