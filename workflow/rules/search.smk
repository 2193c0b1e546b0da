# The search for each cell's learning rate, where the study has one: a job per trial, and the choice among them.
# Rules that a study does not need stay here all the same: nothing asks for their files.
TRIALS = list(STUDY.search.trials) if STUDY.search else []


localrules:
    choose_learning_rate,


rule search_trial:
    input:
        tokens=[PATHS.tokens("{task}", "{model}") / f"{split}.arrow" for split in ("train", "validation")],
        rows=PATHS.split("{task}", "validation"),
        model=PATHS.model("{model}"),
        data=PATHS.data_card("{task}"),
        needs=lambda wildcards: needed_files(STUDY, Run(cell_of(wildcards), STUDY.seeds[0])),
    output:
        PATHS.trial(CELL, "{factor}"),
    log:
        PATHS.log(f"search_trial/{CELL.path}/factor-{{factor}}"),
    benchmark:
        PATHS.benchmark(f"search_trial/{CELL.path}/factor-{{factor}}")
    wildcard_constraints:
        factor=one_of(TRIALS),
    retries: RETRIES
    conda:
        "../../environment.yml"
    threads: STUDY.hardware.threads
    resources:
        **asks(lambda wildcards: JOBS.trial(cell_of(wildcards))),
        attempt=lambda wildcards, attempt: attempt,
        attempts=STUDY.resources.attempts,
        study=CONFIG,
        gpu=GPUS,
    params:
        **settings_params(stage_settings.trial_settings, lambda wildcards: (cell_of(wildcards), wildcards.factor)),
    shell:
        "tunegrid search-trial {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --factor {wildcards.factor} --settings {params.digest} --log {log} "
        "--attempt {resources.attempt} --attempts {resources.attempts} --mem-mb {resources.mem_mb}"


rule choose_learning_rate:
    input:
        [PATHS.trial(CELL, factor) for factor in TRIALS],
    output:
        PATHS.choice(CELL),
    log:
        PATHS.log(f"choose_learning_rate/{CELL.path}"),
    benchmark:
        PATHS.benchmark(f"choose_learning_rate/{CELL.path}")
    conda:
        "../../environment.yml"
    resources:
        study=CONFIG,
    params:
        **settings_params(stage_settings.choice_settings, lambda wildcards: (cell_of(wildcards),)),
    shell:
        "tunegrid search-choice {resources.study} --task {wildcards.task} --model {wildcards.model} "
        "--method {wildcards.method} --settings {params.digest} --log {log}"
